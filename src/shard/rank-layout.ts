import type { ByteRange } from '../core/byte-source.js';
import { requireKey } from '../core/require-at.js';
import { layoutFile, tensorByteLength } from '../safetensors/index.js';
import { shardFileName } from './file-names.js';
import { checkFitsRanks } from './layout/fits-ranks.js';
import { readModelShape, type ModelShape } from './layout/model-shape.js';
import { findProfile, type LayoutProfile } from './layout/profiles.js';
import { checkSources, collectSources, type WeightsFile, type SourceTensor } from './layout/source-tensors.js';
import { buildStateDict, type StateTensor } from './layout/state-dict.js';
import { resolveDtype, storedDtype, type TargetDtype } from './layout/target-dtype.js';
import { unsupported } from './layout/unsupported.js';
import { describeRange } from './layout/vllm-version.js';

/** All that decides the bytes of the shards. */
export interface ShardingRequest {
  /** The parsed config.json. */
  readonly config: unknown;
  readonly files: readonly WeightsFile[];
  readonly ranks: number;
  /** `auto`, or a type by vLLM's name. */
  readonly dtype: string;
  readonly vllmVersion: string;
  /** Bytes of tensor data in one file; a larger tensor gets a file of its own. */
  readonly maxFileSize: number;
  readonly filePattern: string;
  /** The checkpoint has an output head that differs from the embedding which its config says it is tied to. */
  readonly headDiffers?: boolean;
}

/** What will be written, to the last byte: nothing of it depends on the bytes of the weights. */
export interface RankLayout {
  readonly shape: ModelShape;
  readonly profile: LayoutProfile;
  /** Of the model, by vLLM's name; each tensor has its own. */
  readonly dtype: TargetDtype;
  readonly ranks: number;
  readonly filePattern: string;
  readonly parts: readonly ShardPart[];
  readonly files: readonly WeightsFile[];
  readonly sources: ReadonlyMap<string, SourceTensor>;
}

/** One part of every rank: the files of all ranks have the same header and the same size. */
export interface ShardPart {
  /** From 0, as in the file's name. */
  readonly number: number;
  readonly headerBytes: Uint8Array;
  /** Bytes of the whole file. */
  readonly size: number;
  /** In file order. */
  readonly tensors: readonly PlacedTensor[];
}

/** A tensor and where its bytes lie in the file. */
export type PlacedTensor = StateTensor & ByteRange;

/** Lays out the shards of a checkpoint from its config and its headers; fails as `UnsupportedSharding`, by name. */
export function layOutRanks(request: ShardingRequest): RankLayout {
  const { ranks, vllmVersion, maxFileSize, filePattern, headDiffers = false } = request;
  const shape = readModelShape(request.config);
  const profile = findProfile(shape.architecture, vllmVersion);
  checkFitsRanks(shape, ranks);
  const sources = collectSources(request.files);
  const dtype = resolveDtype(request.dtype, shape, sources.values());
  const ownHead = !shape.tied || headDiffers;
  if (ownHead) checkHeadHasPlace(shape, profile);
  const state = buildStateDict({ shape, profile, ranks, dtype: storedDtype(dtype), ownHead });
  checkSources(state, sources, new Set(ownHead ? [] : ['lm_head.weight']));
  const parts = splitIntoParts(state.tensors, maxFileSize).map(placePart);
  return { shape, profile, dtype, ranks, filePattern, parts, files: request.files, sources };
}

/** Names of the files of all ranks: part after part, and rank after rank in each. */
export function shardFileNames(layout: RankLayout): string[] {
  return layout.parts.flatMap(({ number }) =>
    Array.from({ length: layout.ranks }, (_, rank) => shardFileName(layout, rank, number))
  );
}

/** Where vLLM keeps the tied embedding under its own name, the model has no output head that could be another one. */
function checkHeadHasPlace({ architecture }: ModelShape, { tiedName, versions }: LayoutProfile): void {
  if (tiedName === 'lm_head.weight') return;
  throw unsupported(
    'tied-embeddings',
    `${architecture} has an lm_head.weight that is not its embedding, and vLLM ${versions.map(describeRange).join(', ')} ` +
      'has no place for it',
    { architecture }
  );
}

/** Greedily and in the order of the state dict, as vLLM does; so a first tensor that is too big leaves part 0 empty. */
function splitIntoParts(tensors: readonly StateTensor[], maxFileSize: number): StateTensor[][] {
  const parts: StateTensor[][] = [];
  let part: StateTensor[] = [];
  let bytes = 0;
  for (const tensor of tensors) {
    const size = tensorByteLength(tensor);
    if (bytes + size > maxFileSize) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(tensor);
    bytes += size;
  }
  return [...parts, part];
}

function placePart(tensors: readonly StateTensor[], part: number): ShardPart {
  const { headerBytes, dataByteLength, tensors: placed } = layoutFile(tensors);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return {
    number: part,
    headerBytes,
    size: headerBytes.length + dataByteLength,
    tensors: placed.map(({ name, begin, end }) => ({
      ...requireKey(byName, name),
      start: headerBytes.length + begin,
      end: headerBytes.length + end,
    })),
  };
}
