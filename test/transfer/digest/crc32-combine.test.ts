import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { combineCrc32 } from '../../../src/transfer/digest/crc32-combine.js';

test.each([[[0]], [[1]], [[100, 100, 100, 7]], [[65_536, 65_536, 1]], [[1, 2, 3, 0, 4]], [[1_000_003, 999_999]]])(
  'the CRC32 of parts of %j bytes is that of all bytes',
  (sizes) => {
    const parts = sizes.map((size) => randomBytes(size));
    const combined = combineCrc32(parts.map((bytes) => ({ crc32: crc32(bytes), size: bytes.length })));
    expect(combined).toBe(crc32(Buffer.concat(parts)));
  }
);

test('parts in another order give another CRC32', () => {
  const [a, b] = [randomBytes(50), randomBytes(60)].map((bytes) => ({ crc32: crc32(bytes), size: bytes.length }));
  if (a === undefined || b === undefined) throw new Error('no parts');
  expect(combineCrc32([a, b])).not.toBe(combineCrc32([b, a]));
});

test('no parts have the CRC32 of no bytes', () => {
  expect(combineCrc32([])).toBe(crc32(''));
});

test('parts of more than 4 GiB combine', () => {
  // CRC32 of 5 GiB of zeros appended to "a", computed in pieces.
  const gibibyte = 2 ** 30;
  const zeros = { crc32: crc32(Buffer.alloc(gibibyte)), size: gibibyte };
  const first = { crc32: crc32('a'), size: 1 };
  const whole = { crc32: combineCrc32([zeros, zeros, zeros, zeros, zeros]), size: 5 * gibibyte };
  expect(combineCrc32([first, whole])).toBe(combineCrc32([first, zeros, zeros, zeros, zeros, zeros]));
});
