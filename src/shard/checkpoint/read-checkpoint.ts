import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import type { StoredFile } from '../../core/stored-file.js';
import { sideFiles } from '../../hub/vllm-files.js';
import type { ObjectStore } from '../../storage/object-store.js';
import type { TransferContext } from '../../transfer/transfer-context.js';
import type { WeightsFile } from '../layout/source-tensors.js';
import { unsupported } from '../layout/unsupported.js';
import { findWeights } from './find-weights.js';
import { overruledByVllm, withOverruled } from './overruled-by-vllm.js';
import { readHeaders } from './read-headers.js';
import { readConfig } from './read-json.js';
import { settleDuplicates } from './settle-duplicates.js';

/** A checkpoint, read from its headers: no byte of a tensor was looked at. */
export interface Checkpoint {
  /** The parsed config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Each with the tensors that count. */
  readonly weights: readonly (StoredFile & WeightsFile)[];
  /** Some tensor is in several files, and the index says which of them counts. */
  readonly overlaid: boolean;
  /** Where vLLM would take another tensor than the index: which one. */
  readonly overruled: string | undefined;
  /** Tensors that the index names and no file holds. vLLM does not mind, where the model needs none of them. */
  readonly stale: ReadonlySet<string>;
  /** What goes into the sharded Dir as it is. */
  readonly others: readonly StoredFile[];
}

/** Where a checkpoint lies. */
export interface CheckpointPlace {
  readonly context: Pick<TransferContext, 'policies' | 'getLanes'>;
  readonly store: ObjectStore;
  /** Key prefix, empty or ending in "/". */
  readonly dirKey: string;
  readonly files: readonly StoredFile[];
}

/**
 * Reads index, headers and config. What is broken fails before what is not verified: `IncompleteCheckpoint` or
 * `InvalidSafetensors` where no engine could shard this, else `UnsupportedSharding`.
 */
export async function readCheckpoint(
  place: CheckpointPlace,
  options: { readonly signal: AbortSignal }
): Promise<Checkpoint> {
  const read = (file: StoredFile) => readObject(place, file, options);
  const config = await refuseLater(readConfig(place.files, read));
  const { files, weightMap, layout } = await findWeights(place.files, read);
  const { weights, refusal } = await readHeaders(place, files, options);
  const settled = settle(weights, weightMap);
  try {
    if (refusal !== undefined) throw refusal;
    if (layout === 'mistral') throw ofMistral();
    return { config: config(), ...settled, others: sideFiles(place.files) };
  } catch (error) {
    throw withOverruled(error, settled.overruled);
  }
}

/** Native knows the tensor names of transformers alone. */
export function ofMistral(): PrefetchError {
  return unsupported('weights-format', "The weights are in Mistral's own layout (consolidated*.safetensors)");
}

function settle(
  weights: Checkpoint['weights'],
  weightMap: ReadonlyMap<string, string> | undefined
): Pick<Checkpoint, 'weights' | 'overlaid' | 'overruled' | 'stale'> {
  const settled = settleDuplicates(weights, weightMap);
  const held = new Set(weights.flatMap(({ header }) => header.tensors.map(({ name }) => name)));
  const stale = new Set([...(weightMap?.keys() ?? [])].filter((name) => !held.has(name)));
  return { weights: settled, overlaid: settled !== weights, overruled: overruledByVllm(weights, settled), stale };
}

/** What is not verified is told where the result is asked for, any other failure at once. */
async function refuseLater<T>(work: Promise<T>): Promise<() => T> {
  try {
    const result = await work;
    return () => result;
  } catch (error) {
    if (!isPrefetchError(error, 'UnsupportedSharding') || error.details['broken'] === true) throw error;
    return () => {
      throw error;
    };
  }
}

async function readObject(
  { store, dirKey }: CheckpointPlace,
  { path }: StoredFile,
  options: { readonly signal: AbortSignal }
): Promise<Uint8Array> {
  const bytes = await store.get(`${dirKey}${path}`, options);
  if (bytes === undefined) throw new PrefetchError('ObjectChanged', `${dirKey}${path} is gone. Run it again`);
  return bytes;
}
