import { expect, test } from 'vitest';
import { GiB, MiB } from '../../src/core/units.js';
import { choosePartSize, planParts, receiptsFit } from '../../src/transfer/part-plan.js';

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

test('receipts fit only where number and size are those of the plan', () => {
  const plan = planParts(25, 10);
  const receipt = (partNumber: number, size: number) => ({ partNumber, size, etag: 'e' });
  expect(receiptsFit(plan, [receipt(1, 10), receipt(3, 5)])).toBe(true);
  expect(receiptsFit(plan, [])).toBe(true);
  expect(receiptsFit(plan, [receipt(1, 10), receipt(3, 10)])).toBe(false);
  expect(receiptsFit(plan, [receipt(4, 10)])).toBe(false);
  expect(receiptsFit(plan, [receipt(0, 10)])).toBe(false);
});
