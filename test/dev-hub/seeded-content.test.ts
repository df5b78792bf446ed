import { expect, test } from 'vitest';
import { MiB } from '../../src/core/units.js';
import { seededContent } from '../../src/dev-hub/seeded-content.js';
import { readContent } from './read-content.js';

const size = 3 * MiB + 17;

test('equal seeds give equal bytes, other seeds others', async () => {
  const bytes = await readContent(seededContent({ size, seed: 'a' }));
  expect(bytes.length).toBe(size);
  expect(bytes.equals(await readContent(seededContent({ size, seed: 'a' })))).toBe(true);
  expect(bytes.equals(await readContent(seededContent({ size, seed: 'b' })))).toBe(false);
});

test('every range is what the whole file has there', async () => {
  const content = seededContent({ size, seed: 'a' });
  const bytes = await readContent(content);
  const ranges: [number, number][] = [
    [0, 1],
    [3, 5],
    [7, 9],
    [MiB - 1, MiB + 9],
    [MiB + 4, 2 * MiB + 4],
    [size - 1, size],
    [5, 5],
  ];
  for (const [start, end] of ranges) {
    expect((await readContent(content, start, end)).equals(bytes.subarray(start, end)), `${start}-${end}`).toBe(true);
  }
});

test('no two blocks of a file are equal', async () => {
  const content = seededContent({ size: 2 * MiB, seed: 'a' });
  expect((await readContent(content, 0, MiB)).equals(await readContent(content, MiB))).toBe(false);
});

test('a terabyte needs no disk and no wait', async () => {
  const content = seededContent({ size: 2 ** 40, seed: 'a' });
  expect((await readContent(content, 2 ** 40 - 10)).length).toBe(10);
});
