import { PrefetchError } from '../../core/errors.js';
import type { StoredFile } from '../../core/stored-file.js';
import { MiB } from '../../core/units.js';
import { sideFiles } from '../../hub/vllm-files.js';
import { parseIndex } from '../../safetensors/index.js';
import type { ObjectStore } from '../../storage/object-store.js';
import type { TransferContext } from '../../transfer/transfer-context.js';
import type { WeightsFile } from '../layout/source-tensors.js';
import { someOf, unsupported } from '../layout/unsupported.js';
import { CONFIG_PATH, INDEX_PATH, weightsFiles } from './model-files.js';
import { readHeaders } from './read-headers.js';

/** A checkpoint, read from its headers: no byte of a tensor was looked at. */
export interface Checkpoint {
  /** The parsed config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: readonly (StoredFile & WeightsFile)[];
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

const MOST_JSON_BYTES = 64 * MiB;
const MOST_LEVELS = 100;

/** Reads config, index and headers; fails as `UnsupportedSharding` where there is nothing that could be sharded. */
export async function readCheckpoint(
  place: CheckpointPlace,
  options: { readonly signal: AbortSignal }
): Promise<Checkpoint> {
  const read = (file: StoredFile) => readObject(place, file, options);
  const config = await readConfig(place.files, read);
  const index = await readJson(place.files, INDEX_PATH, read);
  const weightMap = index === undefined ? undefined : parseIndex(index).weightMap;
  const indexed = weightMap === undefined ? undefined : new Set(weightMap.values());
  if (indexed !== undefined) checkIndexed(indexed, weightsFiles(place.files, indexed));
  const files = requireWeights(place.files, indexed);
  const weights = await readHeaders(place, files, options);
  if (weightMap !== undefined) checkWeightMap(weightMap, weights);
  return { config, weights, others: sideFiles(place.files) };
}

/** A file as a listing has it, wherever it lies. */
export type ListedFile = Pick<StoredFile, 'path' | 'size'>;

/** The parsed config.json among these files; `UnsupportedSharding` where there is none that could be read. */
export async function readConfig<T extends ListedFile>(
  files: readonly T[],
  read: (file: T) => Promise<Uint8Array>
): Promise<Readonly<Record<string, unknown>>> {
  const config = asObject(await readJson(files, CONFIG_PATH, read), CONFIG_PATH);
  if (config !== undefined) return config;
  throw unsupported('config', `There is no ${CONFIG_PATH} beside the weights`);
}

/** The weights files among these; `UnsupportedSharding` where there are none in a format that can be sharded. */
export function requireWeights<T extends ListedFile>(
  files: readonly T[],
  indexed: ReadonlySet<string> | undefined
): T[] {
  const weights = weightsFiles(files, indexed);
  if (weights.length > 0) return weights;
  throw unsupported('weights-format', 'There are no weights in the format safetensors at the top of the checkpoint');
}

function checkIndexed(indexed: ReadonlySet<string>, files: readonly StoredFile[]): void {
  const there = new Set(files.map(({ path }) => path));
  const missing = [...indexed].filter((path) => !there.has(path));
  if (missing.length === 0) return;
  throw unsupported('missing-tensors', `${INDEX_PATH} names weights files that are not there: ${someOf(missing)}`);
}

function checkWeightMap(weightMap: ReadonlyMap<string, string>, weights: Checkpoint['weights']): void {
  const held = new Map(weights.flatMap(({ path, header }) => header.tensors.map(({ name }) => [name, path] as const)));
  const misplaced = [...weightMap].filter(([name, path]) => held.get(name) !== path).map(([name]) => name);
  if (misplaced.length === 0) return;
  throw unsupported(
    'missing-tensors',
    `${INDEX_PATH} puts ${misplaced.length} tensors into files that do not hold them: ${someOf(misplaced)}`
  );
}

async function readJson<T extends ListedFile>(
  files: readonly T[],
  path: string,
  read: (file: T) => Promise<Uint8Array>
): Promise<unknown> {
  const file = files.find((each) => each.path === path);
  if (file === undefined) return undefined;
  if (file.size > MOST_JSON_BYTES)
    throw unsupported('config', `${path} has ${file.size} bytes, which no such file needs`);
  const value = parseJson(await read(file), path);
  if (isNestedDeeper(value, MOST_LEVELS)) {
    throw unsupported('config', `${path} is nested deeper than ${MOST_LEVELS} levels, which no such file needs`);
  }
  return value;
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch {
    throw unsupported('config', `${path} is no JSON`);
  }
}

/** Level by level: whatever goes down into such a value, as writing it does, would run out of stack. */
function isNestedDeeper(value: unknown, most: number): boolean {
  let level = [value].filter(isContainer);
  for (let depth = 0; depth < most && level.length > 0; depth++) {
    level = level.flatMap((container): unknown[] => Object.values(container)).filter(isContainer);
  }
  return level.length > 0;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
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

function asObject(value: unknown, path: string): Readonly<Record<string, unknown>> | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.fromEntries(Object.entries(value));
  throw unsupported('config', `${path} is no JSON object`);
}
