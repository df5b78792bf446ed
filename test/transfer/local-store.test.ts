import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { openStore, type ObjectStore } from '../../src/storage/index.js';
import { until } from '../helpers/local-server.js';
import { sha256Of, type TestSourceOptions } from '../helpers/test-source.js';
import { tmpFolder } from '../helpers/tmp.js';
import { bytesOf, failure, live, partSize, setUpTransfers } from '../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

const size = 6 * partSize + 5;
const key = 'model/commit/sub/weights.bin';

async function request(bytes: Buffer, options: TestSourceOptions = {}) {
  const folder = await tmpFolder();
  const store: ObjectStore = await openStore(pathToFileURL(folder).href + '/');
  return { folder, store, key, source: await setup.source(bytes, options), trust: 'verify-existing' as const };
}

test.each([0, 1, partSize, partSize + 1, size])('a file of %i bytes arrives in a folder', async (length) => {
  const bytes = bytesOf(length);
  const { folder, ...rest } = await request(bytes);
  const result = await setup.engine().transferFile(rest, live());
  expect(await readFile(join(folder, key))).toEqual(bytes);
  expect(result).toMatchObject({ how: 'fetched', size: length, etag: (await rest.store.head(key))?.etag });
  expect(await setup.engine().transferFile(rest, live())).toMatchObject({ how: 'found', etag: result.etag });
});

test('a transfer that was cut goes on in the same folder, and nothing shows before its end', async () => {
  const bytes = bytesOf(size);
  const { folder, ...rest } = await request(bytes, { intercept: (_, __, count) => count === 4 });
  const abort = new AbortController();
  const engine = setup.engine();
  const done: number[] = [];
  const moving = failure(
    engine.transferFile(rest, { signal: abort.signal, onProgress: ({ bytesDone }) => done.push(bytesDone) })
  );
  await until(() => done.at(-1) === size - partSize || done.at(-1) === size - 5, 'all parts but one');
  abort.abort(new Error('cut'));
  expect(await moving).toMatchObject({ message: 'cut' });
  expect((await readdir(folder)).filter((name) => !name.startsWith('.'))).toEqual([]);
  const result = await setup.engine().transferFile(rest, live());
  expect(result.how).toBe('resumed');
  expect(result.fetchedBytes).toBeLessThanOrEqual(partSize);
  expect(await readFile(join(folder, key))).toEqual(bytes);
});

test('wrong bytes never show in a folder', async () => {
  const { folder, ...rest } = await request(bytesOf(size), { digest: sha256Of(bytesOf(1)) });
  expect(await failure(setup.engine().transferFile(rest, live()))).toMatchObject({ code: 'DigestMismatch' });
  expect((await readdir(folder)).filter((name) => !name.startsWith('.'))).toEqual([]);
  expect(await rest.store.findUploads(key)).toEqual([]);
});

// A device that takes all bytes and refuses to sync them, as a disk does that could not keep them.
describe.runIf(existsSync('/dev/null'))('parts that the disk could not keep', () => {
  async function onBadDisk(options: TestSourceOptions = {}) {
    const { store, source, trust } = await request(bytesOf(size), options);
    const partTarget: ObjectStore['partTarget'] = async (...asked) => {
      const target = await store.partTarget(...asked);
      return target.kind === 'file' ? { ...target, path: '/dev/null' } : target;
    };
    return { source, trust, key, store: { ...store, partTarget } };
  }

  test('fail a transfer, and nobody goes on with them', async () => {
    const moving = await onBadDisk();
    expect(await failure(setup.engine().transferFile(moving, live()))).toMatchObject({ code: 'StoreUnavailable' });
    expect(await moving.store.findUploads(key)).toEqual([]);
  });

  test('are not gone on with where the transfer was cut either', async () => {
    const moving = await onBadDisk({ intercept: (_, __, count) => count === 4 });
    const abort = new AbortController();
    const done: number[] = [];
    const onProgress = ({ bytesDone }: { readonly bytesDone: number }) => done.push(bytesDone);
    const cut = failure(setup.engine().transferFile(moving, { signal: abort.signal, onProgress }));
    await until(() => (done.at(-1) ?? 0) > 0, 'a part');
    abort.abort(new Error('cut'));
    expect(await cut).toMatchObject({ message: 'cut' });
    expect(await moving.store.findUploads(key)).toEqual([]);
  });
});
