import { NEWEST_VERIFIED_VLLM } from '../../../src/core/vllm-releases.js';
import type { ByteSource } from '../../../src/core/byte-source.js';
import { dtypeBits, layoutFile, parseHeader, type Dtype, type TensorSpec } from '../../../src/safetensors/index.js';
import type { WeightsFile, SourceTensor } from '../../../src/shard/layout/source-tensors.js';
import type { Piece } from '../../../src/shard/layout/state-dict.js';
import { castInPlace } from '../../../src/shard/native/cast.js';
import { layOutRanks, type ShardPart, type ShardingRequest, type RankLayout } from '../../../src/shard/rank-layout.js';
import { random } from '../../helpers/random.js';
import { DEFAULT_PATTERN } from '../../helpers/shard-setup.js';
import { tensorsOf } from '../layout/checkpoints.js';

/** A whole checkpoint in memory. */
export interface Checkpoint {
  readonly config: object;
  readonly files: readonly WeightsFile[];
  readonly weights: readonly Buffer[];
}

/** Random tensors that a config promises, in several files and of several data types, in turn. */
export function randomCheckpoint(
  config: object,
  { seed = 1, split = 1, dtypes = ['BF16'] }: { seed?: number; split?: number; dtypes?: readonly Dtype[] } = {}
): Checkpoint {
  const numbers = random(seed);
  const tensors = tensorsOf(config).map((tensor, index) => ({
    ...tensor,
    dtype: dtypes[index % dtypes.length] ?? 'BF16',
  }));
  const lists = Array.from({ length: split }, (_, file) => tensors.filter((_tensor, index) => index % split === file));
  return { config, ...filesWith(lists, () => numbers.int(256)) };
}

/** Weights files with these tensors, one list for each of them. */
export function filesWith(
  lists: readonly (readonly TensorSpec[])[],
  byte: () => number
): Pick<Checkpoint, 'files' | 'weights'> {
  const weights = lists.map((tensors) => fileWith(tensors, byte));
  const files = weights.map((bytes, file) => ({
    path: `model-${String(file)}.safetensors`,
    size: bytes.length,
    header: parseHeader(bytes, bytes.length),
  }));
  return { files, weights };
}

function fileWith(tensors: readonly TensorSpec[], byte: () => number): Buffer {
  const { headerBytes, dataByteLength } = layoutFile(tensors);
  const data = Buffer.from(Uint8Array.from({ length: dataByteLength }, byte));
  return Buffer.concat([headerBytes, data]);
}

export function planOf(
  { config, files }: Checkpoint,
  change: Partial<ShardingRequest> & { readonly ranks: number }
): RankLayout {
  const rest = { dtype: 'bfloat16', vllmVersion: NEWEST_VERIFIED_VLLM, filePattern: DEFAULT_PATTERN };
  return layOutRanks({ config, files, maxFileSize: Number.MAX_SAFE_INTEGER, ...rest, ...change });
}

/** A file of one rank, made element by element with everything in memory. */
export function expectedFile(
  layout: RankLayout,
  weights: readonly Buffer[],
  { part, rank }: { readonly part: ShardPart; readonly rank: number }
): Buffer {
  const bytes = Buffer.alloc(part.size);
  bytes.set(part.headerBytes);
  for (const { pieces, dtype: target, start, end } of part.tensors) {
    let position = start;
    for (const piece of pieces) {
      const elements =
        piece.kind === 'ones' ? Buffer.of(0, 0, 0x80, 0x3f) : pieceOf(layout, weights, { piece, rank, target });
      position += elements.copy(bytes, position);
    }
    if (position !== end) throw new Error('The pieces of a tensor are not as long as it is.');
  }
  return bytes;
}

function pieceOf(
  layout: RankLayout,
  weights: readonly Buffer[],
  {
    piece,
    rank,
    target,
  }: { readonly piece: Exclude<Piece, { kind: 'ones' }>; readonly rank: number; readonly target: Dtype }
): Buffer {
  const source = layout.sources.get(piece.source);
  if (source === undefined) throw new Error(piece.source);
  const all = castTensor(weights, source, target);
  const width = dtypeBits(target) / 8;
  const bytes: number[] = [];
  const take = (row: number, column: number) => {
    const at = width * (row * piece.width + column);
    for (let byte = 0; byte < width; byte++) bytes.push(all[at + byte] ?? 0);
  };
  if (piece.kind === 'columns') {
    for (let row = 0; row < piece.rows; row++) {
      for (let column = 0; column < piece.count; column++) take(row, rank * piece.count + column);
    }
  } else {
    const first = piece.base + Math.floor(rank / piece.replicas) * piece.count;
    for (let row = first; row < first + piece.count; row++) {
      // What lies past the limit belongs to the next tensor of a fused one, or to nobody.
      for (let column = 0; column < piece.width; column++) take(row < piece.limit ? row : Infinity, column);
    }
  }
  return Buffer.from(bytes);
}

function castTensor(weights: readonly Buffer[], source: SourceTensor, target: Dtype): Uint8Array {
  const { file, start, end, dtype } = source;
  const bytes = Buffer.allocUnsafeSlow(end - start);
  weights[file]?.copy(bytes, 0, start, end);
  return castInPlace(bytes, dtype, target);
}

/** Reads weights from memory and remembers the ranges; some answers come late, after those to later questions. */
export function readerOf(weights: readonly Buffer[]): readonly ByteSource[] & { readonly ranges: Range[] } {
  const ranges: Range[] = [];
  const sources = weights.map((bytes, file): ByteSource => ({
    path: `model-${file}.safetensors`,
    size: bytes.length,
    read: async ({ start, end }, into) => {
      if (start === end) return;
      ranges.push({ file, start, end });
      if (ranges.length % 3 === 0) await new Promise(setImmediate);
      const found = bytes.subarray(start, end);
      if (found.length !== end - start) throw new Error(`No bytes ${start} to ${end} in file ${file}`);
      into.set(found);
    },
    readWhole: () => Promise.resolve(bytes),
  }));
  return Object.assign(sources, { ranges });
}

export interface Range {
  readonly file: number;
  readonly start: number;
  readonly end: number;
}

/** Ranges in order, those that follow each other as one; fails where two have a byte in common. */
export function joinRanges(ranges: readonly Range[]): Range[] {
  const joined: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.file - b.file || a.start - b.start)) {
    const last = joined.at(-1);
    if (last === undefined || last.file !== range.file || last.end < range.start) joined.push(range);
    else if (last.end > range.start) throw new Error(`File ${range.file} is read twice at ${range.start}`);
    else joined[joined.length - 1] = { ...last, end: range.end };
  }
  return joined;
}

/** Where the tensors of a layout's sources lie. */
export function sourceRanges({ sources }: RankLayout, isRead: (name: string) => boolean = () => true): Range[] {
  const tensors = [...sources.values()].filter(({ name }) => isRead(name));
  return joinRanges(tensors.map(({ file, start, end }) => ({ file, start, end })));
}
