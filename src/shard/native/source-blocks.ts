import type { ByteRange } from '../../core/byte-source.js';
import { requireAt, requireKey } from '../../core/require-at.js';
import type { Dtype } from '../../safetensors/index.js';
import type { SourceTensor } from '../layout/source-tensors.js';
import type { RankLayout } from '../rank-layout.js';
import { elementBytes } from './cast.js';
import type { AllLocations, ShardLocations } from './shard-locations.js';

/** A range of a weights file, and where the ranks have it in the data type of the shards. */
export interface SourceBlock extends ByteRange {
  /** Bytes after the cast. */
  readonly length: number;
  /** The tensor and what it is cast to; undefined for what no rank has: the header, what vLLM computes by itself, overlaid tensors. */
  readonly tensor: HeldTensor | undefined;
  readonly shares: readonly RankShare[];
  /** Bytes of ranks that belong to no source and must be zero. */
  readonly zeros: readonly RankShare[];
}

/** A tensor of the source that ranks hold in another data type, or in its own. */
export interface HeldTensor extends SourceTensor {
  readonly target: Dtype;
}

/** A range of one rank's file that belongs to a block. */
export interface RankShare extends ByteRange {
  readonly part: number;
  readonly rank: number;
  /** Its place in the block: one stretch from `to` on, or `rows` of `shareBytes`, one every `rowBytes`. */
  readonly to: number;
  readonly rows: number;
  readonly rowBytes: number;
}

/** Cuts a weights file into blocks in file order; together with what no rank has they are the whole file. */
export function* sourceBlocks(
  layout: RankLayout,
  file: number,
  { places, blockBytes }: { readonly places: AllLocations; readonly blockBytes: number }
): Generator<SourceBlock> {
  const { header, size } = requireAt(layout.files, file);
  let start = header.headerByteLength;
  yield* unheld({ start: 0, end: start }, blockBytes);
  for (const { name } of header.tensors) {
    const source = requireKey(layout.sources, name);
    const found = places.get(name);
    // What lies between is a tensor of an overlay that does not count.
    yield* unheld({ start, end: source.start }, blockBytes);
    if (found === undefined) yield* unheld(source, blockBytes);
    else
      for (const place of found)
        yield* held({ layout, tensor: { ...source, target: place.target }, place, blockBytes });
    start = source.end;
  }
  yield* unheld({ start, end: size }, blockBytes);
}

function* unheld(range: ByteRange, blockBytes: number): Generator<SourceBlock> {
  for (let { start } = range; start < range.end; start += blockBytes) {
    const end = Math.min(range.end, start + blockBytes);
    yield { length: end - start, start, end, tensor: undefined, shares: [], zeros: [] };
  }
}

interface Held {
  readonly layout: RankLayout;
  readonly tensor: HeldTensor;
  readonly place: ShardLocations;
  readonly blockBytes: number;
}

function* held({ place, ...rest }: Held): Generator<SourceBlock> {
  const { piece } = place;
  if (piece.kind === 'rows') yield* rowBlocks({ ...rest, place }, piece);
  else yield* columnBlocks({ ...rest, place }, piece);
}

type RowsPiece = ShardLocations['piece'] & { readonly kind: 'rows' };
type ColumnsPiece = ShardLocations['piece'] & { readonly kind: 'columns' };

/** Rank after rank, for their rows follow each other in the source; ranks with the same rows are all looked at. */
function* rowBlocks({ layout, tensor, place, blockBytes }: Held, piece: RowsPiece): Generator<SourceBlock> {
  const rowBytes = piece.width * elementBytes(tensor.target);
  const wholeBytes = piece.count * rowBytes;
  for (let turn = 0; turn < layout.ranks / piece.replicas; turn++) {
    const ranks = Array.from({ length: piece.replicas }, (_, replica) => turn * piece.replicas + replica);
    const firstRow = piece.base + turn * piece.count;
    const heldBytes = Math.min(piece.count, Math.max(0, piece.limit - firstRow)) * rowBytes;
    for (let from = 0; from < wholeBytes; from += blockBytes) {
      const to = Math.min(wholeBytes, from + blockBytes);
      const length = Math.max(0, Math.min(to, heldBytes) - from);
      const share = (start: number, end: number) => ranks.map((rank) => asShare(place, { rank, start, end }));
      yield {
        ...rangeOf(tensor, firstRow * rowBytes + from, length),
        length,
        tensor,
        shares: length > 0 ? share(from, from + length) : [],
        zeros: from + length < to ? share(from + length, to) : [],
      };
    }
  }
}

function* columnBlocks({ layout, tensor, place, blockBytes }: Held, piece: ColumnsPiece): Generator<SourceBlock> {
  const rowBytes = piece.width * elementBytes(tensor.target);
  const shareBytes = piece.count * elementBytes(tensor.target);
  const ranks = Array.from({ length: layout.ranks }, (_, rank) => rank);
  if (rowBytes > blockBytes) {
    yield* wideRowBlocks({ layout, tensor, place, blockBytes }, piece);
    return;
  }
  const rowsAtOnce = Math.floor(blockBytes / rowBytes);
  for (let row = 0; row < piece.rows; row += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, piece.rows - row);
    yield {
      ...rangeOf(tensor, row * rowBytes, rows * rowBytes),
      length: rows * rowBytes,
      tensor,
      shares: ranks.map((rank) => ({
        ...asShare(place, { rank, start: row * shareBytes, end: (row + rows) * shareBytes }),
        to: rank * shareBytes,
        rows,
        rowBytes,
      })),
      zeros: [],
    };
  }
}

/** Rows too wide for a block: each rank's share of each row is a stretch of its own. */
function* wideRowBlocks({ layout, tensor, place, blockBytes }: Held, piece: ColumnsPiece): Generator<SourceBlock> {
  const rowBytes = piece.width * elementBytes(tensor.target);
  const shareBytes = piece.count * elementBytes(tensor.target);
  for (let row = 0; row < piece.rows; row++) {
    for (let rank = 0; rank < layout.ranks; rank++) {
      for (let from = 0; from < shareBytes; from += blockBytes) {
        const length = Math.min(blockBytes, shareBytes - from);
        const start = row * shareBytes + from;
        yield {
          ...rangeOf(tensor, row * rowBytes + rank * shareBytes + from, length),
          length,
          tensor,
          shares: [asShare(place, { rank, start, end: start + length })],
          zeros: [],
        };
      }
    }
  }
}

function asShare(
  { part, position }: ShardLocations,
  { rank, start, end }: ByteRange & { readonly rank: number }
): RankShare {
  return { part, rank, start: position + start, end: position + end, to: 0, rows: 1, rowBytes: end - start };
}

/** The bytes of the source that a stretch of the tensor after the cast comes from. */
function rangeOf({ start, dtype, target }: HeldTensor, at: number, length: number): ByteRange {
  const factor = elementBytes(dtype) / elementBytes(target);
  return { start: start + at * factor, end: start + (at + length) * factor };
}
