import type { SourceTensor } from '../layout/source-tensors.js';
import type { ShardPlan } from '../plan-shards.js';
import { castLength, TARGET_BYTES } from './cast.js';
import type { Whereabouts } from './whereabouts.js';

/** A stretch of a weights file, in the data type of the shards, and where the ranks have it. */
export interface SourceBlock {
  /** Bytes after the cast. */
  readonly length: number;
  /** In the weights file, `[begin, end)`. */
  readonly begin: number;
  readonly end: number;
  /** The tensor, or undefined for what no rank has: the header, and tensors that vLLM computes by itself. */
  readonly tensor: SourceTensor | undefined;
  readonly shares: readonly RankShare[];
  /** Bytes of ranks that belong to no source and must be zero. */
  readonly zeros: readonly RankShare[];
}

/** A range of one rank's file that belongs to a block. */
export interface RankShare {
  readonly part: number;
  readonly rank: number;
  readonly begin: number;
  readonly end: number;
  /** Its place in the block: one stretch from `to` on, or `rows` of `shareBytes`, one every `rowBytes`. */
  readonly to: number;
  readonly rows: number;
  readonly rowBytes: number;
}

/** Cuts a weights file into blocks in file order; together with what no rank has they are the whole file. */
export function* sourceBlocks(
  plan: ShardPlan,
  file: number,
  { places, blockBytes }: { readonly places: ReadonlyMap<string, readonly Whereabouts[]>; readonly blockBytes: number }
): Generator<SourceBlock> {
  const source = plan.files[file];
  if (source === undefined) return;
  yield* unheld({ begin: 0, end: source.header.headerByteLength, tensor: undefined }, blockBytes);
  for (const { name } of source.header.tensors) {
    const tensor = plan.sources.get(name);
    if (tensor === undefined) continue;
    // A head that equals the embedding is kept once, under either name.
    const found = places.get(name) ?? (name === 'lm_head.weight' ? places.get('model.embed_tokens.weight') : undefined);
    if (found === undefined) {
      const end = tensor.position + (tensor.end - tensor.begin);
      yield* unheld({ begin: tensor.position, end, tensor: undefined }, blockBytes);
    } else {
      for (const place of found) yield* held({ plan, tensor, place, blockBytes });
    }
  }
}

interface Stretch {
  readonly begin: number;
  readonly end: number;
  readonly tensor: undefined;
}

function* unheld({ begin, end }: Stretch, blockBytes: number): Generator<SourceBlock> {
  for (let start = begin; start < end; start += blockBytes) {
    const stop = Math.min(end, start + blockBytes);
    yield { length: stop - start, begin: start, end: stop, tensor: undefined, shares: [], zeros: [] };
  }
}

interface Held {
  readonly plan: ShardPlan;
  readonly tensor: SourceTensor;
  readonly place: Whereabouts;
  readonly blockBytes: number;
}

function* held({ place, ...rest }: Held): Generator<SourceBlock> {
  const { piece } = place;
  if (piece.kind === 'rows') yield* rowBlocks({ ...rest, place }, piece);
  else yield* columnBlocks({ ...rest, place }, piece);
}

type RowsPiece = Whereabouts['piece'] & { readonly kind: 'rows' };
type ColumnsPiece = Whereabouts['piece'] & { readonly kind: 'columns' };

/** Rank after rank, for their rows follow each other in the source; ranks with the same rows are all looked at. */
function* rowBlocks({ plan, tensor, place, blockBytes }: Held, piece: RowsPiece): Generator<SourceBlock> {
  const rowBytes = piece.width * TARGET_BYTES;
  const wholeBytes = piece.count * rowBytes;
  for (let turn = 0; turn < plan.ranks / piece.replicas; turn++) {
    const ranks = Array.from({ length: piece.replicas }, (_, replica) => turn * piece.replicas + replica);
    const firstRow = piece.base + turn * piece.count;
    const heldBytes = Math.min(piece.count, Math.max(0, piece.limit - firstRow)) * rowBytes;
    for (let from = 0; from < wholeBytes; from += blockBytes) {
      const to = Math.min(wholeBytes, from + blockBytes);
      const length = Math.max(0, Math.min(to, heldBytes) - from);
      const share = (begin: number, end: number) => ranks.map((rank) => asShare(place, { rank, begin, end }));
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

function* columnBlocks({ plan, tensor, place, blockBytes }: Held, piece: ColumnsPiece): Generator<SourceBlock> {
  const rowBytes = piece.width * TARGET_BYTES;
  const shareBytes = piece.count * TARGET_BYTES;
  const ranks = Array.from({ length: plan.ranks }, (_, rank) => rank);
  if (rowBytes > blockBytes) {
    yield* wideRowBlocks({ plan, tensor, place, blockBytes }, piece);
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
        ...asShare(place, { rank, begin: row * shareBytes, end: (row + rows) * shareBytes }),
        to: rank * shareBytes,
        rows,
        rowBytes,
      })),
      zeros: [],
    };
  }
}

/** Rows too wide for a block: each rank's share of each row is a stretch of its own. */
function* wideRowBlocks({ plan, tensor, place, blockBytes }: Held, piece: ColumnsPiece): Generator<SourceBlock> {
  const rowBytes = piece.width * TARGET_BYTES;
  const shareBytes = piece.count * TARGET_BYTES;
  for (let row = 0; row < piece.rows; row++) {
    for (let rank = 0; rank < plan.ranks; rank++) {
      for (let from = 0; from < shareBytes; from += blockBytes) {
        const length = Math.min(blockBytes, shareBytes - from);
        const begin = row * shareBytes + from;
        yield {
          ...rangeOf(tensor, row * rowBytes + rank * shareBytes + from, length),
          length,
          tensor,
          shares: [asShare(place, { rank, begin, end: begin + length })],
          zeros: [],
        };
      }
    }
  }
}

function asShare(
  { part, position }: Whereabouts,
  { rank, begin, end }: { readonly rank: number; readonly begin: number; readonly end: number }
): RankShare {
  const length = end - begin;
  return { part, rank, begin: position + begin, end: position + end, to: 0, rows: 1, rowBytes: length };
}

/** The bytes of the source that a stretch of the tensor after the cast comes from. */
function rangeOf(tensor: SourceTensor, at: number, length: number): { readonly begin: number; readonly end: number } {
  const factor = castLength(1024, tensor.dtype) / 1024;
  return { begin: tensor.position + at / factor, end: tensor.position + (at + length) / factor };
}
