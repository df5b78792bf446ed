import { chmod, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { StoredFile } from '../../../src/core/stored-file.js';
import { pullDir, type DirToPull, type PullOptions } from '../../../src/transfer/disk/pull-dir.js';
import { openStore } from '../../../src/storage/index.js';
import { serveRange } from '../../helpers/local-server.js';
import type { MemoryStore } from '../../helpers/memory-store.js';
import { gitSha1Of, sha256Of } from '../../helpers/test-source.js';
import { bytesOf, failure, live, setUpTransfers } from '../../helpers/transfer-setup.js';
import { tmpFolder, tmpFolderElsewhere } from '../../helpers/tmp.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

const weights = bytesOf(700_000);
const config = Buffer.from('{"architectures":["LlamaForCausalLM"]}');

interface Prepared {
  readonly source: DirToPull;
  readonly files: readonly StoredFile[];
}

/** A Dir in a store that is asked over HTTP, and a folder for it. */
async function remoteDir(): Promise<Prepared & { readonly store: MemoryStore }> {
  const store = await setup.store();
  const contents = { 'model.safetensors': weights, 'sub/config.json': config, 'empty.txt': Buffer.alloc(0) };
  for (const [path, bytes] of Object.entries(contents)) await store.put(`dir/${path}`, bytes);
  const files = [
    {
      path: 'model.safetensors',
      size: weights.length,
      etag: await etagOf(store, 'model.safetensors'),
      digest: sha256Of(weights),
    },
    { path: 'sub/config.json', size: config.length, etag: 'another', digest: gitSha1Of(config) },
    { path: 'empty.txt', size: 0, etag: await etagOf(store, 'empty.txt') },
  ];
  return { store, files, source: { store, engine: setup.engine(), dirKey: 'dir/', files, folder: await tmpFolder() } };
}

async function etagOf(store: DirToPull['store'], path: string): Promise<string> {
  return (await store.head(`dir/${path}`))?.etag ?? '';
}

/** The same in a folder of this machine, by default on the disk of the scratch. */
async function localDir(root?: string): Promise<Prepared & { readonly root: string }> {
  root ??= await tmpFolder();
  const store = await openStore(pathToFileURL(`${root}/`).href);
  await store.put('dir/model.safetensors', weights);
  const etag = await etagOf(store, 'model.safetensors');
  const files = [{ path: 'model.safetensors', size: weights.length, etag, digest: sha256Of(weights) }];
  const source = { store, engine: setup.engine(), dirKey: 'dir/', files, folder: await tmpFolder() };
  return { root, files, source };
}

type Progress = Parameters<PullOptions['onProgress']>[0];

async function bring(source: DirToPull): Promise<Progress[]> {
  const seen: Progress[] = [];
  await pullDir(source, { ...live(), onProgress: (progress) => seen.push(progress) });
  return seen;
}

const problem = (code: string, words: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(words) as string });

describe('from a store that is asked over HTTP', () => {
  test('every file comes as it is, in its folder, and progress ends at all bytes', async () => {
    const { source } = await remoteDir();
    const seen = await bring(source);
    expect((await readFile(join(source.folder, 'model.safetensors'))).equals(weights)).toBe(true);
    expect((await readFile(join(source.folder, 'sub/config.json'))).equals(config)).toBe(true);
    expect(await readFile(join(source.folder, 'empty.txt'))).toHaveLength(0);
    const totalBytes = weights.length + config.length;
    expect(seen.at(-1)).toEqual({ bytesDone: totalBytes, totalBytes });
    expect((await readdir(source.folder)).sort()).toEqual(['empty.txt', 'model.safetensors', 'sub']);
  });

  test('what a killed process has brought is gone on with, not fetched again', async () => {
    const { source, store } = await remoteDir();
    await writeFile(join(source.folder, 'model.safetensors.part'), weights.subarray(0, 600_000));
    const ranges: string[] = [];
    store.faults.intercept = (request) => {
      ranges.push(String(request.headers.range));
      return false;
    };
    await bring(source);
    expect(ranges).toContain('bytes=600000-699999');
    expect((await readFile(join(source.folder, 'model.safetensors'))).equals(weights)).toBe(true);
    ranges.length = 0;
    await bring(source);
    expect(ranges).toEqual([]);
  });

  test('what lies there and is wrong is fetched anew', async () => {
    const { source } = await remoteDir();
    await writeFile(join(source.folder, 'model.safetensors'), bytesOf(weights.length));
    await writeFile(join(source.folder, 'model.safetensors.part'), bytesOf(1000));
    await bring(source);
    expect((await readFile(join(source.folder, 'model.safetensors'))).equals(weights)).toBe(true);
  });

  test('a connection that breaks is no failure', async () => {
    const { source, store } = await remoteDir();
    let broken = 0;
    store.faults.intercept = (request, response, name) => {
      if (!name.includes('safetensors') || broken++ > 0) return false;
      response.writeHead(206, {
        'Content-Length': weights.length,
        'Content-Range': `bytes 0-${weights.length - 1}/${weights.length}`,
      });
      response.write(weights.subarray(0, 1000), () => request.socket.destroy());
      return true;
    };
    await bring(source);
    expect(broken).toBeGreaterThan(1);
    expect((await readFile(join(source.folder, 'model.safetensors'))).equals(weights)).toBe(true);
  });

  test('a store that answers with errors only is unavailable, which may pass', async () => {
    const { source, store } = await remoteDir();
    store.faults.intercept = (_request, response) => {
      response.writeHead(500).end();
      return true;
    };
    const error = await failure(bring(source));
    expect(error).toEqual(problem('StoreUnavailable', 'answered 500'));
    expect(error).toMatchObject({ permanent: false });
  });

  test('an object that may not be read is no matter of waiting', async () => {
    const { source, store } = await remoteDir();
    let asked = 0;
    store.faults.intercept = (_request, response, name) => {
      if (!name.includes('safetensors')) return false;
      asked++;
      response.writeHead(403).end();
      return true;
    };
    const error = await failure(bring(source));
    expect(error).toEqual(problem('StoreAccessDenied', 'answered 403'));
    expect(error).toMatchObject({ permanent: true });
    // Each time with another signature.
    expect(asked).toBe(4);
  });

  test('giving up ends it with the reason', async () => {
    const { source, store } = await remoteDir();
    const abort = new AbortController();
    store.faults.intercept = (request, response, name) => {
      if (!name.includes('safetensors')) return false;
      serveRange(weights, request, response);
      abort.abort(new Error('given up'));
      return true;
    };
    const onProgress = () => undefined;
    await expect(pullDir(source, { signal: abort.signal, onProgress })).rejects.toThrow('given up');
  });
});

describe('a Dir that is not what was verified any more', () => {
  test.each([
    ['lacks an object', (store: MemoryStore) => store.delete('dir/model.safetensors'), 'it is gone'],
    ['has a shorter one', (store: MemoryStore) => store.put('dir/model.safetensors', bytesOf(5)), 'it has 5 bytes'],
    ['has other bytes', (store: MemoryStore) => store.put('dir/model.safetensors', bytesOf(weights.length)), 'digest'],
  ])('and %s is not sharded', async (_what, damage, words) => {
    const { source, store } = await remoteDir();
    await damage(store);
    expect(await failure(bring(source))).toEqual(problem('DirNotIntact', words));
  });

  test.each([
    ['between being hashed and being fetched', 1],
    ['while it is fetched', 2],
  ])('is noticed where no digest is known, also when it changes %s', async (_when, read) => {
    const { source, store, files } = await remoteDir();
    const { path, size, etag } = files[0] ?? { path: '', size: 0, etag: '' };
    const withoutDigest = { ...source, files: [{ path, size, etag }] };
    await bring(withoutDigest);
    expect((await readFile(join(source.folder, path))).equals(weights)).toBe(true);
    await rm(join(source.folder, path));
    let reads = 0;
    store.faults.intercept = (request, response) => {
      if (request.method !== 'GET' || ++reads !== read) return false;
      // The answer is still the old one.
      serveRange(weights, request, response);
      store.objects.set('dir/model.safetensors', bytesOf(weights.length));
      return true;
    };
    expect(await failure(bring(withoutDigest))).toMatchObject({ code: 'DirNotIntact' });
    expect(reads).toBeGreaterThanOrEqual(read);
  });
});

describe('from a store on the same disk', () => {
  test('files are linked: they take no room, and outlive their replacement in the store', async () => {
    const { source, root } = await localDir();
    await bring(source);
    const link = join(source.folder, 'model.safetensors');
    expect((await stat(link)).ino).toBe((await stat(join(root, 'dir/model.safetensors'))).ino);
    await source.store.put('dir/model.safetensors', bytesOf(10));
    expect((await readFile(link)).equals(weights)).toBe(true);
  });

  test('a damaged file is refused, and the store keeps it as it is', async () => {
    const { source, root } = await localDir();
    const stored = join(root, 'dir/model.safetensors');
    const damaged = bytesOf(weights.length);
    await writeFile(stored, damaged);
    expect(await failure(bring(source))).toEqual(problem('DirNotIntact', 'digest'));
    expect((await readFile(stored)).equals(damaged)).toBe(true);
  });

  test('a link that an earlier attempt left is never written to', async () => {
    const { source, root } = await localDir();
    await bring(source);
    await truncate(join(root, 'dir/model.safetensors'), 1000);
    expect(await failure(bring(source))).toEqual(problem('DirNotIntact', 'it has 1000 bytes'));
    expect((await stat(join(root, 'dir/model.safetensors'))).size).toBe(1000);
  });
});

describe('from a store on another disk', () => {
  test('what a power failure made of a copy is copied anew, and the store is not blamed', async ({ skip }) => {
    const { source } = await localDir((await tmpFolderElsewhere()) ?? skip('there is no second file system'));
    const path = join(source.folder, 'model.safetensors');
    await writeFile(`${path}.part`, Buffer.alloc(600_000));
    await bring(source);
    expect((await readFile(path)).equals(weights)).toBe(true);
  });

  test('a damaged file is refused, whatever was copied of it before', async ({ skip }) => {
    const { source, root } = await localDir((await tmpFolderElsewhere()) ?? skip('there is no second file system'));
    await writeFile(join(root, 'dir/model.safetensors'), bytesOf(weights.length));
    await writeFile(join(source.folder, 'model.safetensors.part'), weights.subarray(0, 1000));
    expect(await failure(bring(source))).toEqual(problem('DirNotIntact', 'digest'));
  });
});

describe('a path that could leave the folder', () => {
  test.each(['../model.safetensors', '/etc/passwd', 'a//b', '.prefetch/x'])('%s is refused', async (path) => {
    const { source } = await remoteDir();
    const files = [{ path, size: 1, etag: 'x' }];
    expect(await failure(bring({ ...source, files }))).toMatchObject({ code: 'UnsafePath' });
  });
});

test('a disk that cannot be written to is named', async () => {
  const { source } = await remoteDir();
  const file = join(source.folder, 'sub');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, 'a file where a folder is needed');
  await chmod(file, 0o400);
  expect(await failure(bring(source))).toEqual(problem('StoreConflict', source.folder));
});
