import { createHash } from 'node:crypto';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bytesContent } from '../../src/dev-hub/content.js';
import { gitBlobId, openDigestBook } from '../../src/dev-hub/digest-book.js';
import { diskContent } from '../../src/dev-hub/disk-content.js';
import { tmpFolder } from '../helpers/tmp.js';

test('digests are those of git and of LFS', async () => {
  const book = await openDigestBook(undefined);
  const content = bytesContent(Buffer.from('hello\n'));
  // What `git hash-object` says.
  expect((await book.digestOf(content, 'gitSha1')).hex).toBe('ce013625030ba8dba906f756967f9e9ca394464a');
  expect(gitBlobId(Buffer.alloc(0))).toBe('e69de29bb2d1d6434b8b29ae775ad8c2e48c5391');
  const sha256 = createHash('sha256').update('hello\n').digest('hex');
  expect((await book.digestOf(content, 'sha256')).hex).toBe(sha256);
});

test('digests are kept between runs until the file changes', async () => {
  const folder = await tmpFolder();
  const file = join(folder, 'file');
  const cache = join(folder, 'deep', 'digests.json');
  await writeFile(file, 'bytes');
  const digest = async () => {
    const book = await openDigestBook(cache);
    const { fresh, hex } = await book.digestOf(await diskContent(file), 'sha256');
    await book.save();
    return { fresh, hex };
  };
  const first = await digest();
  expect(first.fresh).toBe(true);
  expect(await digest()).toEqual({ ...first, fresh: false });
  await writeFile(file, 'bytez');
  await utimes(file, 1, 1);
  const other = await digest();
  expect(other.fresh).toBe(true);
  expect(other.hex).not.toBe(first.hex);
});

test.each(['not json', '[]', 'null', '{"sha256:file:x":5,"y":"zz"}'])(
  'the broken cache %s is made anew',
  async (text) => {
    const folder = await tmpFolder();
    const cache = join(folder, 'digests.json');
    await writeFile(cache, text);
    await writeFile(join(folder, 'file'), 'bytes');
    const book = await openDigestBook(cache);
    const { fresh, hex } = await book.digestOf(await diskContent(join(folder, 'file')), 'sha256');
    expect(fresh).toBe(true);
    await book.save();
    expect(await readFile(cache, 'utf8')).toContain(hex);
  }
);

test('hashing can be given up', async () => {
  const book = await openDigestBook(undefined, AbortSignal.abort(new Error('given up')));
  await expect(book.digestOf(bytesContent(Buffer.from('x')), 'sha256')).rejects.toThrow('given up');
});
