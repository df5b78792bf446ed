import type { ByteRange } from '../../core/byte-source.js';
import { requireAt, requireKey } from '../../core/require-at.js';
import type { Dtype } from '../../safetensors/index.js';
import type { Piece } from '../layout/state-dict.js';
import type { PlacedTensor, ShardPart, RankLayout } from '../rank-layout.js';
import { elementBytes } from './cast.js';
import { joinNeighbours } from './join-reads.js';
import { pieceBytes } from './piece-bytes.js';

/** The same range of bytes of one part's files, of several ranks. */
export interface Window extends ByteRange {
  readonly part: ShardPart;
  /** Whose files are filled, in the order of their slabs. */
  readonly ranks: readonly number[];
}

/** One range of a weights file, and where its bytes go once they have the target's data type. */
export interface SourceRead extends ByteRange {
  /** Position in the layout's list of files. */
  readonly file: number;
  readonly dtype: Dtype;
  readonly target: Dtype;
  readonly moves: readonly Move[];
  /** A row that a window's end cuts: the next window needs it too, and gets it by this name instead of reading it again. */
  readonly splitRow?: string;
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
export function planWindow(layout: RankLayout, window: Window, readBytes: number): WindowReads {
  const reads: SourceRead[] = [];
  const work: Work = { layout, window, readBytes, reads, fills: [], zeros: [] };
  addHeader(work);
  for (const tensor of overlapping(window)) addTensor(work, tensor);
  return { reads: joinNeighbours(reads, readBytes), fills: work.fills, zeros: work.zeros };
}

interface Work {
  readonly layout: RankLayout;
  readonly window: Window;
  readonly readBytes: number;
  readonly reads: SourceRead[];
  readonly fills: { slots: readonly number[]; to: number; bytes: Uint8Array }[];
  readonly zeros: { slot: number; to: number; length: number }[];
}

function addHeader({ window, fills }: Work): void {
  const { part, start, end, ranks } = window;
  const bytes = part.headerBytes.subarray(start, Math.min(end, part.headerBytes.length));
  if (bytes.length > 0) fills.push({ slots: ranks.map((_, slot) => slot), to: 0, bytes });
}

function overlapping({ part: { tensors }, start, end }: Window): readonly PlacedTensor[] {
  let low = 0;
  let high = tensors.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (requireAt(tensors, middle).end <= start) low = middle + 1;
    else high = middle;
  }
  let last = low;
  while (last < tensors.length && requireAt(tensors, last).start < end) last++;
  return tensors.slice(low, last);
}

function addTensor(work: Work, tensor: PlacedTensor): void {
  const { window } = work;
  let position = tensor.start;
  for (const piece of tensor.pieces) {
    const start = position;
    position += pieceBytes(piece, tensor.dtype);
    if (position <= window.start || start >= window.end) continue;
    const from = Math.max(start, window.start) - start;
    const to = Math.min(position, window.end) - start;
    addPiece(work, piece, { from, to, at: start + from - window.start, target: tensor.dtype });
  }
}

/** The bytes `[from, to)` of a piece, which lie at `at` in the window. */
interface Share {
  readonly from: number;
  readonly to: number;
  readonly at: number;
  readonly target: Dtype;
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
  const { from, to, at, target } = share;
  const rowBytes = piece.width * elementBytes(target);
  for (const [turn, slots] of slotsByTurn) {
    const start = (piece.base + turn * piece.count) * rowBytes;
    const end = Math.max(start + from, Math.min(piece.limit * rowBytes, start + to));
    addRun(work, piece.source, { start: start + from, end, at, slots, target });
    const padding = start + to - end;
    if (padding > 0) {
      for (const slot of slots) work.zeros.push({ slot, to: at + (end - start - from), length: padding });
    }
  }
}

/** A range of a source, counted after the cast, in reads of a bearable size. */
function addRun(
  { layout, reads, readBytes }: Pick<Work, 'layout' | 'reads' | 'readBytes'>,
  name: string,
  run: ByteRange & Pick<Share, 'at' | 'target'> & { readonly slots: readonly number[] }
): void {
  const { file, dtype, start: base } = requireKey(layout.sources, name);
  const factor = elementBytes(dtype) / elementBytes(run.target);
  const step = readBytes / factor;
  for (let start = run.start; start < run.end; start += step) {
    const length = Math.min(step, run.end - start);
    reads.push({
      file,
      start: base + start * factor,
      end: base + (start + length) * factor,
      dtype,
      target: run.target,
      moves: [{ kind: 'run', from: 0, length, to: run.at + start - run.start, slots: run.slots }],
    });
  }
}

function addColumns(work: Work, piece: Piece & { readonly kind: 'columns' }, share: Share): void {
  const { layout, window, reads, readBytes } = work;
  const { from, to, at, target } = share;
  const source = requireKey(layout.sources, piece.source);
  const sourceRowBytes = piece.width * elementBytes(source.dtype);
  if (sourceRowBytes > readBytes) {
    addWideColumns(work, piece, share);
    return;
  }
  const rowBytes = piece.width * elementBytes(target);
  const shareBytes = piece.count * elementBytes(target);
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
      start: source.start + row * sourceRowBytes,
      end: source.start + end * sourceRowBytes,
      dtype: source.dtype,
      target,
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
      ...(alone ? { splitRow: `${piece.source}#${row}` } : {}),
    });
    row = end;
  }
}

/** Rows too wide to be read whole: each rank's share of each row is a range of its own, and still big. */
function addWideColumns(work: Work, piece: Piece & { readonly kind: 'columns' }, share: Share): void {
  const { from, to, at, target } = share;
  const rowBytes = piece.width * elementBytes(target);
  const shareBytes = piece.count * elementBytes(target);
  for (let row = Math.floor(from / shareBytes); row * shareBytes < to; row++) {
    const start = Math.max(from, row * shareBytes) - row * shareBytes;
    const end = Math.min(to, (row + 1) * shareBytes) - row * shareBytes;
    work.window.ranks.forEach((rank, slot) => {
      const base = row * rowBytes + rank * shareBytes;
      const place = at + row * shareBytes + start - from;
      addRun(work, piece.source, { start: base + start, end: base + end, at: place, slots: [slot], target });
    });
  }
}
