import { expect, test } from 'vitest';
import { parseByteSize } from '../../src/config/byte-size.js';

test.each([
  ['8MiB', 8 * 1024 * 1024],
  ['1.5 GiB', 1.5 * 1024 ** 3],
  ['500MB', 500_000_000],
  ['1048576', 1_048_576],
  ['16 KiB', 16_384],
])('reads %s as %d bytes', (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

test.each(['', 'MiB', '-1MiB', '8 mib', '8MiBs', '1e9', 'NaN', '99999999999GiB'])('refuses %j', (text) => {
  expect(parseByteSize(text)).toBeUndefined();
});
