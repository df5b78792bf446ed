import { access, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { linkOrCopy } from '../../../src/transfer/disk/link-or-copy.js';
import { tmpFolder, tmpFolderElsewhere } from '../../helpers/tmp.js';
import { bytesOf, failure, live } from '../../helpers/transfer-setup.js';

const bytes = bytesOf(3_000_000);

/** A file on another disk than that of temporary folders, where there is one. */
async function elsewhere(): Promise<string | undefined> {
  const folder = await tmpFolderElsewhere();
  if (folder === undefined) return undefined;
  await writeFile(join(folder, 'file'), bytes);
  return join(folder, 'file');
}

describe('a file on another disk', () => {
  test('is copied, and its progress is told', async ({ skip }) => {
    const from = (await elsewhere()) ?? skip('there is no second file system');
    const to = join(await tmpFolder(), 'copy');
    const seen: number[] = [];
    await linkOrCopy({ from, to, size: bytes.length }, { ...live(), onBytes: (count) => seen.push(count) });
    expect((await readFile(to)).equals(bytes)).toBe(true);
    expect(seen.at(-1)).toBe(bytes.length);
    expect((await stat(to)).nlink).toBe(1);
    await expect(access(`${to}.part`)).rejects.toThrow('ENOENT');
  });

  test('is gone on with where a killed process ended', async ({ skip }) => {
    const from = (await elsewhere()) ?? skip('there is no second file system');
    const to = join(await tmpFolder(), 'copy');
    await writeFile(`${to}.part`, bytes.subarray(0, 2_000_000));
    const seen: number[] = [];
    await linkOrCopy({ from, to, size: bytes.length }, { ...live(), onBytes: (count) => seen.push(count) });
    expect(seen[0]).toBeGreaterThan(2_000_000);
    expect((await readFile(to)).equals(bytes)).toBe(true);
  });

  test('is given up with the reason of whoever gives up', async ({ skip }) => {
    const from = (await elsewhere()) ?? skip('there is no second file system');
    const to = join(await tmpFolder(), 'copy');
    const abort = new AbortController();
    const onBytes = () => {
      abort.abort(new Error('given up'));
    };
    await expect(linkOrCopy({ from, to, size: bytes.length }, { signal: abort.signal, onBytes })).rejects.toThrow(
      'given up'
    );
    await expect(access(to)).rejects.toThrow('ENOENT');
  });
});

test('a place that is taken is a failure that names it', async () => {
  const folder = await tmpFolder();
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  await writeFile(from, 'new');
  await writeFile(to, 'old');
  const error = await failure(linkOrCopy({ from, to, size: 3 }, { ...live(), onBytes: () => undefined }));
  expect(error).toMatchObject({ code: 'StoreConflict' });
  expect(String(error)).toContain(to);
});
