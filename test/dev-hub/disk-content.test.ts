import { randomBytes } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MiB } from '../../src/core/units.js';
import { diskContent } from '../../src/dev-hub/disk-content.js';
import { tmpFolder } from '../helpers/tmp.js';
import { readContent } from './read-content.js';

test('every range is what the file has there, also while two are read at once', async () => {
  const bytes = randomBytes(3 * MiB + 5);
  const file = join(await tmpFolder(), 'file');
  await writeFile(file, bytes);
  const content = await diskContent(file);
  for (let round = 0; round < 2; round += 1) {
    const [whole, middle, none] = await Promise.all([
      readContent(content),
      readContent(content, 100, 2 * MiB + 1),
      readContent(content, 7, 7),
    ]);
    expect(whole.equals(bytes)).toBe(true);
    expect(middle.equals(bytes.subarray(100, 2 * MiB + 1))).toBe(true);
    expect(none.length).toBe(0);
  }
});

test('a file that has changed since is not served', async () => {
  const file = join(await tmpFolder(), 'file');
  await writeFile(file, 'before');
  const content = await diskContent(file);
  await content.check();
  await writeFile(file, 'after it');
  await expect(content.check()).rejects.toThrow('has changed since the dev Hub started');
});

test('a file that becomes shorter while it is read fails', async () => {
  const file = join(await tmpFolder(), 'file');
  await writeFile(file, 'twelve bytes');
  const content = await diskContent(file);
  await truncate(file, 3);
  await expect(readContent(content)).rejects.toThrow('became shorter');
});

test('a folder is refused', async () => {
  await expect(diskContent(await tmpFolder())).rejects.toThrow('InvalidInput');
});
