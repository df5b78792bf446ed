import { dtypeBits, type Dtype } from '../../safetensors/index.js';
import type { Piece } from '../layout/state-dict.js';
import { TARGET_BYTES } from './cast.js';
import { joinNeighbours } from './join-reads.js';
import type { PlacedTensor, PlannedPart, ShardPlan } from '../plan-shards.js';

/** The same range of bytes of one part's files, of several ranks. */
export interface Window {
  readonly part: PlannedPart;
  /** In the file, `[begin, end)`. */
  readonly begin: number;
  readonly end: number;
  /** Whose files are filled, in the order of their slabs. */
  readonly ranks: readonly number[];
}

/** One range of a weights file, and where its bytes go once they have the target's data type. */
export interface SourceRead {
  /** Position in the plan's list of files. */
  readonly file: number;
  /** In the file, `[begin, end)`. */
  readonly begin: number;
  readonly end: number;
  readonly dtype: Dtype;
  readonly moves: readonly Move[];
  /** A row that a window's end cuts: the next window needs it too, and gets it by this name instead of reading it again. */
  readonly cutRow?: string;
}

/** Bytes of a read, counted after the cast, to places in slabs. */
export type Move =
  | {
      readonly kind: 'run';
      readonly from: number;
      readonly length: number;
      readonly to: number;
      readonly slots: readonly number[];
    }
  | {
      readonly kind: 'columns';
      readonly from: number;
      readonly rows: number;
      /** Bytes of a whole row, and of a rank's share of it. */
      readonly rowBytes: number;
      readonly shareBytes: number;
      /** Bytes of the first row's share that lie before the window, and of the last row's that lie in it. */
      readonly skip: number;
      readonly lastShare: number;
      readonly to: number;
      /** Rank of each slot: its share starts at `rank * shareBytes` of a row. */
      readonly ranks: readonly number[];
    };

/** What has to be done to fill a window. */
export interface WindowReads {
  readonly reads: readonly SourceRead[];
  /** Bytes that come from no source, for every slot or for one. */
  readonly fills: readonly { readonly slots: readonly number[]; readonly to: number; readonly bytes: Uint8Array }[];
  readonly zeros: readonly { readonly slot: number; readonly to: number; readonly length: number }[];
}

const ONE = Uint8Array.of(0x00, 0x00, 0x80, 0x3f);

/** Plans the reads of one window; every byte of it is filled exactly once. */
export function planWindow(plan: ShardPlan, window: Window, readBytes: number): WindowReads {
  const reads: SourceRead[] = [];
  const work: Work = { plan, window, readBytes, reads, fills: [], zeros: [] };
  addHeader(work);
  for (const tensor of overlapping(window)) addTensor(work, tensor);
  return { reads: joinNeighbours(reads, readBytes), fills: work.fills, zeros: work.zeros };
}

interface Work {
  readonly plan: ShardPlan;
  readonly window: Window;
  readonly readBytes: number;
  readonly reads: SourceRead[];
  readonly fills: { slots: readonly number[]; to: number; bytes: Uint8Array }[];
  readonly zeros: { slot: number; to: number; length: number }[];
}

function addHeader({ window, fills }: Work): void {
  const { part, begin, end, ranks } = window;
  const bytes = part.headerBytes.subarray(begin, Math.min(end, part.headerBytes.length));
  if (bytes.length > 0) fills.push({ slots: ranks.map((_, slot) => slot), to: 0, bytes });
}

function overlapping({ part: { tensors }, begin, end }: Window): readonly PlacedTensor[] {
  let low = 0;
  let high = tensors.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tensors[middle]?.end ?? 0) <= begin) low = middle + 1;
    else high = middle;
  }
  let last = low;
  while ((tensors[last]?.begin ?? Infinity) < end) last++;
  return tensors.slice(low, last);
}

function addTensor(work: Work, tensor: PlacedTensor): void {
  const { window } = work;
  let position = tensor.begin;
  for (const piece of tensor.pieces) {
    const begin = position;
    position += pieceBytes(piece);
    if (position <= window.begin || begin >= window.end) continue;
    const from = Math.max(begin, window.begin) - begin;
    const to = Math.min(position, window.end) - begin;
    addPiece(work, piece, { from, to, at: begin + from - window.begin });
  }
}

/** Bytes of a piece in one rank's tensor. */
export function pieceBytes(piece: Piece): number {
  switch (piece.kind) {
    case 'rows':
      return piece.count * piece.width * TARGET_BYTES;
    case 'columns':
      return piece.rows * piece.count * TARGET_BYTES;
    case 'ones':
      return ONE.length;
  }
}

/** The bytes `[from, to)` of a piece, which lie at `at` in the window. */
interface Share {
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

function addPiece(work: Work, piece: Piece, share: Share): void {
  switch (piece.kind) {
    case 'rows':
      addRows(work, piece, share);
      return;
    case 'columns':
      addColumns(work, piece, share);
      return;
    case 'ones':
      work.fills.push({
        slots: work.window.ranks.map((_, slot) => slot),
        to: share.at,
        bytes: ONE.subarray(share.from, share.to),
      });
  }
}

/** Ranks that hold the same rows share one read. */
function addRows(work: Work, piece: Piece & { readonly kind: 'rows' }, share: Share): void {
  const slotsByTurn = new Map<number, number[]>();
  work.window.ranks.forEach((rank, slot) => {
    const turn = Math.floor(rank / piece.replicas);
    slotsByTurn.set(turn, [...(slotsByTurn.get(turn) ?? []), slot]);
  });
  const { from, to, at } = share;
  const rowBytes = piece.width * TARGET_BYTES;
  for (const [turn, slots] of slotsByTurn) {
    const start = (piece.base + turn * piece.count) * rowBytes;
    const end = Math.max(start + from, Math.min(piece.limit * rowBytes, start + to));
    addRun(work, piece.source, { begin: start + from, end, at, slots });
    const padding = start + to - end;
    if (padding > 0) {
      for (const slot of slots) work.zeros.push({ slot, to: at + (end - start - from), length: padding });
    }
  }
}

/** Bytes `[begin, end)` of a source as they would be after the cast, in reads of a bearable size. */
function addRun(
  { plan, reads, readBytes }: Pick<Work, 'plan' | 'reads' | 'readBytes'>,
  name: string,
  run: {
    readonly begin: number;
    readonly end: number;
    readonly at: number;
    readonly slots: readonly number[];
  }
): void {
  const source = sourceOf(plan, name);
  const factor = dtypeBits(source.dtype) / 8 / TARGET_BYTES;
  const step = readBytes / factor;
  for (let begin = run.begin; begin < run.end; begin += step) {
    const length = Math.min(step, run.end - begin);
    reads.push({
      file: source.file,
      begin: source.position + begin * factor,
      end: source.position + (begin + length) * factor,
      dtype: source.dtype,
      moves: [{ kind: 'run', from: 0, length, to: run.at + begin - run.begin, slots: run.slots }],
    });
  }
}

function addColumns(work: Work, piece: Piece & { readonly kind: 'columns' }, share: Share): void {
  const { plan, window, reads, readBytes } = work;
  const { from, to, at } = share;
  const source = sourceOf(plan, piece.source);
  const sourceRowBytes = (piece.width * dtypeBits(source.dtype)) / 8;
  if (sourceRowBytes > readBytes) {
    addWideColumns(work, piece, share);
    return;
  }
  const rowBytes = piece.width * TARGET_BYTES;
  const shareBytes = piece.count * TARGET_BYTES;
  const cut = to % shareBytes !== 0;
  const firstRow = Math.floor(from / shareBytes);
  const lastRow = Math.ceil(to / shareBytes);
  const rowsAtOnce = Math.max(1, Math.floor(readBytes / sourceRowBytes));
  for (let row = firstRow; row < lastRow;) {
    // The rows that a window's borders cut are read by themselves.
    const first = row === firstRow && from % shareBytes !== 0;
    const end = first ? row + 1 : Math.min(row + rowsAtOnce, cut ? Math.max(row + 1, lastRow - 1) : lastRow);
    const alone = first || (cut && end === lastRow);
    const skip = Math.max(0, from - row * shareBytes);
    reads.push({
      file: source.file,
      begin: source.position + row * sourceRowBytes,
      end: source.position + end * sourceRowBytes,
      dtype: source.dtype,
      moves: [
        {
          kind: 'columns',
          from: 0,
          rows: end - row,
          rowBytes,
          shareBytes,
          skip,
          lastShare: Math.min(shareBytes, to - (end - 1) * shareBytes),
          to: at + row * shareBytes + skip - from,
          ranks: window.ranks,
        },
      ],
      ...(alone ? { cutRow: `${piece.source}#${row}` } : {}),
    });
    row = end;
  }
}

/** Rows too wide to be read whole: each rank's share of each row is a range of its own, and still big. */
function addWideColumns(work: Work, piece: Piece & { readonly kind: 'columns' }, share: Share): void {
  const { from, to, at } = share;
  const rowBytes = piece.width * TARGET_BYTES;
  const shareBytes = piece.count * TARGET_BYTES;
  for (let row = Math.floor(from / shareBytes); row * shareBytes < to; row++) {
    const begin = Math.max(from, row * shareBytes) - row * shareBytes;
    const end = Math.min(to, (row + 1) * shareBytes) - row * shareBytes;
    work.window.ranks.forEach((rank, slot) => {
      const start = row * rowBytes + rank * shareBytes;
      const place = at + row * shareBytes + begin - from;
      addRun(work, piece.source, { begin: start + begin, end: start + end, at: place, slots: [slot] });
    });
  }
}

function sourceOf(plan: ShardPlan, name: string) {
  const source = plan.sources.get(name);
  // The planner has compared the checkpoint with the state dict.
  if (source === undefined) throw new Error(`The plan has no source ${name}`);
  return source;
}
