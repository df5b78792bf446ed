import { expect, test } from 'vitest';
import { BIG_FILE_BYTES, planBatches } from '../../src/core/batches.js';
import { MiB } from '../../src/core/units.js';
import { random } from '../helpers/random.js';

const sizes = (...list: number[]): Map<number, number> => new Map(list.entries());
const bytesOf = (batch: readonly number[], of: ReadonlyMap<number, number>): number =>
  batch.reduce((sum, position) => sum + (of.get(position) ?? NaN), 0);

test('nothing to bring makes no batch', () => {
  expect(planBatches(new Map())).toEqual([]);
});

test('big files come first, the biggest at the head, each alone', () => {
  expect(planBatches(sizes(1, BIG_FILE_BYTES, 2, 3 * BIG_FILE_BYTES))).toEqual([[3], [1], [0, 2]]);
});

test('a file just under the limit is small', () => {
  expect(planBatches(sizes(BIG_FILE_BYTES - 1, BIG_FILE_BYTES - 1))).toEqual([[0, 1]]);
});

test('small files stay together in listing order, 64 of them at most', () => {
  const batches = planBatches(sizes(...Array.from({ length: 130 }, () => 0)));
  expect(batches.map((batch) => batch.length)).toEqual([64, 64, 2]);
  expect(batches.flat()).toEqual(Array.from({ length: 130 }, (_, position) => position));
});

test('a batch of small files holds 256 MiB at most', () => {
  const batches = planBatches(sizes(...Array.from({ length: 9 }, () => 60 * MiB)));
  expect(batches.map((batch) => batch.length)).toEqual([4, 4, 1]);
});

test('positions need not be dense: files that are there already are left out', () => {
  const missing = new Map([
    [7, 1],
    [3, BIG_FILE_BYTES],
    [100, 2],
  ]);
  expect(planBatches(missing)).toEqual([[3], [7, 100]]);
});

test('20,000 small files make a few hundred batches', () => {
  expect(planBatches(sizes(...Array.from({ length: 20_000 }, () => 1000)))).toHaveLength(Math.ceil(20_000 / 64));
});

test('every file is in exactly one batch and no batch is over its limits, whatever the sizes', () => {
  const { int, pick } = random(2);
  for (let round = 0; round < 100; round++) {
    const of = sizes(...Array.from({ length: int(300) }, () => int(pick([1, 1000, MiB, 64 * MiB, 300 * MiB]))));
    const batches = planBatches(of);
    expect(batches.flat().sort((a, b) => a - b)).toEqual([...of.keys()]);
    for (const batch of batches) {
      expect(batch.length).toBeGreaterThan(0);
      expect(batch.length).toBeLessThanOrEqual(64);
      if (batch.length > 1) expect(bytesOf(batch, of)).toBeLessThanOrEqual(256 * MiB);
    }
    expect(planBatches(of)).toEqual(batches);
  }
});
