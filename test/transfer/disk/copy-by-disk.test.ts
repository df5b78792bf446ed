import { readdir } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { copyByDisk } from '../../../src/transfer/disk/copy-by-disk.js';
import type { ObjectStore } from '../../../src/storage/object-store.js';
import { openStore } from '../../../src/storage/open-store.js';
import { sha256Of } from '../../helpers/test-source.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { bytesOf, failure, live, partSize, setUpTransfers } from '../../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

const FROM = 'dir/sub/tokenizer.json';

async function copyOf(bytes: Buffer, source: ObjectStore) {
  const scratchFolder = await tmpFolder();
  const store = await setup.store({ multipart: false });
  const rest = { digest: sha256Of(bytes), size: bytes.length, engine: setup.engine(), planId: 'plan', scratchFolder };
  return { source, from: FROM, store, to: 'out/tokenizer.json', ...rest };
}

test.each(['another store', 'a folder'])(
  'a big file comes from %s to a store that takes no upload parts',
  async (where) => {
    const bytes = bytesOf(3 * partSize);
    const source = where === 'a folder' ? await openStore(pathToFileURL(await tmpFolder()).href) : await setup.store();
    await source.put(FROM, bytes);
    const copy = await copyOf(bytes, source);
    const { etag } = await copyByDisk(copy, live());
    expect(copy.store.objects.get(copy.to)?.equals(bytes)).toBe(true);
    expect(etag).toBe((await copy.store.head(copy.to))?.etag);
    expect(copy.store.uploads.size).toBe(0);
    expect(await readdir(copy.scratchFolder)).toEqual([]);
    expect(Buffer.from((await source.get(FROM)) ?? []).equals(bytes)).toBe(true);
  }
);

test('bytes that are not those of the digest are not copied, and nothing stays on the disk', async () => {
  const bytes = bytesOf(3 * partSize);
  const source = await setup.store();
  await source.put(FROM, bytesOf(3 * partSize));
  const copy = await copyOf(bytes, source);
  expect(await failure(copyByDisk(copy, live()))).toMatchObject({ code: 'DirNotIntact' });
  expect([...copy.store.objects.keys()]).toEqual([]);
  expect(await readdir(copy.scratchFolder)).toEqual([]);
});
