import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPartFiles } from '../../src/transfer/part-files.js';
import { tmpFolder } from '../helpers/tmp.js';
import { failure } from '../helpers/transfer-setup.js';

test('parts of any size are written whole, each at its position', async () => {
  const path = join(await tmpFolder(), 'data');
  const bytes = randomBytes(1_000_003);
  await writeFile(path, '');
  const files = openPartFiles();
  await Promise.all(
    [600_000, 0, 599_999].map((begin, index) =>
      files.write(path, bytes.subarray(begin, [1_000_003, 599_999, 600_000][index]), begin)
    )
  );
  await files.settle();
  await files.close();
  expect(bytes.equals(await readFile(path))).toBe(true);
});

test('a file that is not there fails each time anew', async () => {
  const path = join(await tmpFolder(), 'data');
  const files = openPartFiles();
  expect(await failure(files.write(path, Buffer.from('abc'), 0))).toMatchObject({ code: 'ENOENT' });
  await writeFile(path, '');
  await files.write(path, Buffer.from('abc'), 0);
  await files.close();
  expect(await readFile(path, 'utf8')).toBe('abc');
});

// A device that takes all bytes and refuses to sync them, as a disk does that could not keep them.
test.runIf(existsSync('/dev/null'))('bytes that the disk could not keep are told before the end', async () => {
  const files = openPartFiles();
  await files.write('/dev/null', Buffer.from('abc'), 0);
  expect(await failure(files.settle())).toMatchObject({ syscall: 'fdatasync' });
  await files.close();
});
