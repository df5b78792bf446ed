import { MiB } from './units.js';

/** A file of this size or more gets an activity of its own. */
export const BIG_FILE_BYTES = 64 * MiB;
const MAX_BATCH_FILES = 64;
const MAX_BATCH_BYTES = 256 * MiB;

/**
 * Cuts files into batches, one activity each: big files first and alone, small ones together in listing order.
 * @param sizes - bytes of each file, by position
 * @returns positions, one list per batch
 */
export function planBatches(sizes: ReadonlyMap<number, number>): number[][] {
  const big = [...sizes].filter(([, size]) => size >= BIG_FILE_BYTES).sort(([, a], [, b]) => b - a);
  const small = [...sizes].filter(([, size]) => size < BIG_FILE_BYTES);
  return [...big.map(([position]) => [position]), ...group(small)];
}

function group(files: readonly (readonly [number, number])[]): number[][] {
  const batches: number[][] = [];
  let bytes = Infinity;
  for (const [position, size] of files) {
    const last = batches.at(-1);
    if (last === undefined || last.length >= MAX_BATCH_FILES || bytes + size > MAX_BATCH_BYTES) {
      batches.push([position]);
      bytes = size;
    } else {
      last.push(position);
      bytes += size;
    }
  }
  return batches;
}
