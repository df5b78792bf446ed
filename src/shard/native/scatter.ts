import { requireAt } from '../../core/require-at.js';
import type { Move } from './window-reads.js';

/** Copies bytes of a read to where they go in the slabs of a window. */
export function scatter(bytes: Buffer, moves: readonly Move[], slabs: readonly Uint8Array[]): void {
  for (const move of moves) {
    if (move.kind === 'run') {
      const run = bytes.subarray(move.from, move.from + move.length);
      for (const slot of move.slots) requireAt(slabs, slot).set(run, move.to);
    } else {
      move.ranks.forEach((rank, slot) => {
        scatterColumns(bytes, move, { slab: requireAt(slabs, slot), rank });
      });
    }
  }
}

/** One rank's share of each row; the first and the last may be cut by the window. */
function scatterColumns(
  bytes: Buffer,
  { from, rows, rowBytes, shareBytes, skip, lastShare, to }: Move & { readonly kind: 'columns' },
  { slab, rank }: { readonly slab: Uint8Array; readonly rank: number }
): void {
  let source = from + rank * shareBytes;
  let target = to;
  for (let row = 0; row < rows; row++, source += rowBytes) {
    const start = row === 0 ? skip : 0;
    const end = row === rows - 1 ? lastShare : shareBytes;
    bytes.copy(slab, target, source + start, source + end);
    target += end - start;
  }
}
