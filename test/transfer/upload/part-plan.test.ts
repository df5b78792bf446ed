import { expect, test } from 'vitest';
import { GiB, MiB } from '../../../src/core/units.js';
import { choosePartSize, planParts, partSizeOf } from '../../../src/transfer/upload/part-plan.js';

const s3 = { minPartSize: 5 * MiB, maxPartSize: 5 * GiB, maxParts: 10_000 };

test('parts cover a file without gap or overlap', () => {
  for (const [size, partSize] of [
    [1, 10],
    [10, 10],
    [11, 10],
    [99, 10],
    [100, 10],
  ] as const) {
    const parts = planParts(size, partSize);
    let position = 0;
    for (const [index, part] of parts.entries()) {
      expect(part).toMatchObject({ partNumber: index + 1, position });
      expect(part.size).toBeGreaterThan(0);
      expect(part.size).toBeLessThanOrEqual(partSize);
      position += part.size;
    }
    expect(position).toBe(size);
  }
});

test('the wanted part size is taken where the store allows it', () => {
  expect(choosePartSize(GiB, 8 * MiB, s3)).toBe(8 * MiB);
  expect(choosePartSize(GiB, MiB, s3)).toBe(5 * MiB);
  expect(choosePartSize(GiB, 6 * GiB, s3)).toBe(5 * GiB);
});

test('a huge file has larger parts, whole mebibytes, no more than the store takes', () => {
  for (const size of [10_000 * 8 * MiB + 1, 500e9, 40 * 1024 * GiB]) {
    const partSize = choosePartSize(size, 8 * MiB, s3);
    expect(partSize % MiB).toBe(0);
    expect(Math.ceil(size / partSize)).toBeLessThanOrEqual(10_000);
    expect(partSize).toBe(choosePartSize(size, 8 * MiB, s3));
  }
  expect(choosePartSize(10_000 * 8 * MiB, 8 * MiB, s3)).toBe(8 * MiB);
});

test('an object larger than the store takes is refused', () => {
  expect(() => choosePartSize(60_000 * GiB, 8 * MiB, s3)).toThrow(/StreamingUnsupported/);
});

test.each([
  [
    'all of them',
    25,
    [
      [1, 10],
      [2, 10],
      [3, 5],
    ],
    10,
  ],
  [
    'some of them',
    25,
    [
      [3, 5],
      [1, 10],
    ],
    10,
  ],
  ['the first alone', 25, [[1, 10]], 10],
  ['the last alone, which may be the third of many', 25, [[3, 5]], undefined],
  ['a single one that may be the second of four or the last of two', 100, [[2, 30]], undefined],
  [
    'one of another size',
    25,
    [
      [1, 10],
      [2, 9],
    ],
    undefined,
  ],
  [
    'one beyond the end',
    25,
    [
      [1, 10],
      [4, 10],
    ],
    undefined,
  ],
  [
    'a last one that is too long',
    25,
    [
      [1, 10],
      [3, 10],
    ],
    undefined,
  ],
])('the part size of an upload is told by %s', (_which, size, parts, expected) => {
  const receipts = parts.map(([partNumber = 0, held = 0]) => ({ partNumber, size: held, etag: 'e' }));
  expect(partSizeOf(size, receipts)).toBe(expected);
});
