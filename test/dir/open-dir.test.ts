import { createHash } from 'node:crypto';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Manifest } from '../../src/core/contract.js';
import { asNotIntact, isTrusted } from '../../src/dir/published-dir.js';
import { openDir } from '../../src/dir/open-dir.js';
import { requireVerified } from '../../src/dir/require-verified.js';
import type { ObjectStore } from '../../src/storage/object-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { tmpFolder } from '../helpers/tmp.js';
import { live } from '../helpers/transfer-setup.js';

const files: Readonly<Record<string, string>> = { 'config.json': '{}', 'model.bin': 'weights' };
const always = () => true;

describe('a Dir that was opened', () => {
  test('asks nothing of the store by itself', async () => {
    const { store, asked } = await published();
    openDir(store, 'dir/');
    expect(asked).toEqual([]);
  });

  test('has no manifest where nothing is published, and is not intact', async () => {
    const { dir, at } = await published();
    await rm(at('.prefetch/manifest.json'));
    expect(await dir.manifest(live())).toBeUndefined();
    const { intact, published: none, objects } = await dir.inspect(live());
    expect({ intact, none, paths: [...objects.keys()] }).toEqual({
      intact: false,
      paths: ['config.json', 'model.bin'],
    });
    expect(await dir.findIntact(always, live())).toBeUndefined();
  });

  test('is intact as it was published, which takes one manifest and one list', async () => {
    const { dir, manifest, asked } = await published();
    const inspected = await dir.inspect(live());
    expect(inspected).toMatchObject({ intact: true, published: { manifest } });
    expect([...inspected.objects.keys()]).toEqual(['.prefetch/manifest.json', 'config.json', 'model.bin']);
    expect(asked).toEqual(['get dir/.prefetch/manifest.json', 'list dir/']);
  });

  test('lies at the root of a store, too', async () => {
    const { at, manifest } = await published();
    const dir = openDir(await openStore(`${pathToFileURL(at('')).href}/`), '');
    expect(await dir.inspect(live())).toMatchObject({ intact: true, published: { manifest } });
  });

  test('is described for the revision that was asked for, with the digest of its manifest', async () => {
    const { dir, at, store, folder } = await published();
    const found = await dir.manifest(live());
    const described = found === undefined ? undefined : dir.describe(found, { revision: 'v1' });
    const digest = createHash('sha256').update(await readFile(at('.prefetch/manifest.json')));
    expect(described).toMatchObject({
      path: `${store.root}dir/`,
      manifestPath: `${pathToFileURL(folder).href}/dir/.prefetch/manifest.json`,
      manifestDigest: `sha256:${digest.digest('hex')}`,
      revision: 'v1',
      fileCount: 2,
    });
  });
});

describe('a file that is not as the manifest says', () => {
  test.each([
    ['is missing', (path: string) => rm(path)],
    ['has another size', (path: string) => writeFile(path, 'weigh')],
    ['has other bytes of the same size', (path: string) => writeFile(path, 'WEIGHTS')],
  ])('%s: the Dir is not intact, and the file is named', async (_how, damage) => {
    const { dir, at, manifest } = await published();
    await damage(at('model.bin'));
    expect(await dir.inspect({ ...live(), mayRepair: always })).toMatchObject({
      intact: false,
      published: { manifest },
    });
    expect((await dir.compare(live())).changed.map(({ path }) => path)).toEqual(['model.bin']);
    expect(await dir.findIntact(always, live())).toBeUndefined();
  });

  test('is no fault where it has another etag alone: its bytes are read and decide', async () => {
    const { dir, at, asked } = await published();
    await utimes(at('model.bin'), 1, 1);
    expect((await dir.compare(live())).changed).toHaveLength(1);
    expect(asked.filter((call) => call.startsWith('read '))).toEqual([]);
    const inspected = await dir.inspect(live());
    expect(inspected.intact).toBe(true);
    expect(asked.filter((call) => call.startsWith('read '))).toEqual(['read dir/model.bin']);
    const file = inspected.published?.manifest.files.find(({ path }) => path === 'model.bin');
    expect(file?.etag).toBe(inspected.objects.get('model.bin')?.etag);
  });

  test('gets its new etag into the manifest only where that may be repaired', async () => {
    const { dir, at, asked } = await published();
    const manifest = () => readFile(at('.prefetch/manifest.json'), 'utf8');
    const before = await manifest();
    await utimes(at('model.bin'), 1, 1);
    await dir.inspect(live());
    expect(await manifest()).toBe(before);
    const found = await dir.findIntact(always, { ...live(), mayRepair: always });
    expect(await manifest()).toBe(Buffer.from(found?.bytes ?? []).toString());
    expect(await manifest()).not.toBe(before);
    asked.length = 0;
    expect((await dir.inspect(live())).intact).toBe(true);
    expect(asked).toEqual(['get dir/.prefetch/manifest.json', 'list dir/']);
  });

  test('is asked for itself where the list contradicts what is known of it', async () => {
    const { dir, store, asked } = await published();
    const late: ObjectStore = {
      ...store,
      async *list(prefix, options) {
        for await (const object of store.list(prefix, options)) if (!object.key.endsWith('model.bin')) yield object;
      },
    };
    expect((await openDir(late, 'dir/').inspect(live())).intact).toBe(true);
    expect(asked).toContain('head dir/model.bin');
    expect((await dir.inspect(live())).intact).toBe(true);
  });

  test('keeps a Dir from being published, and is named', async () => {
    const { dir, at, manifest } = await published();
    await writeFile(at('model.bin'), 'WEIGHTS');
    await expect(requireVerified(dir, manifest.files, live())).rejects.toMatchObject({
      code: 'ObjectChanged',
      text: expect.stringContaining('/dir/ are not as they were verified (model.bin)') as string,
    });
  });
});

describe('a Dir that is looked for', () => {
  test('is neither listed nor read where its manifest is not the wanted one', async () => {
    const { dir, asked } = await published();
    expect(await dir.findIntact(({ commit }) => commit === 'b'.repeat(40), live())).toBeUndefined();
    expect(asked).toEqual(['get dir/.prefetch/manifest.json']);
  });

  test('is found with one look at its manifest', async () => {
    const { dir, manifest, asked } = await published();
    expect(await dir.findIntact(({ repo }) => repo === 'org/model', live())).toMatchObject({ manifest });
    expect(asked).toEqual(['get dir/.prefetch/manifest.json', 'list dir/']);
  });

  test('is trusted by whoever forces nothing, and by the run that brought it', async () => {
    const { manifest } = await published();
    const forced = { ...manifest, force: 7 };
    expect([isTrusted({}, manifest), isTrusted({}, forced), isTrusted({ force: 7 }, forced)]).toEqual([
      true,
      true,
      true,
    ]);
    expect([isTrusted({ force: 7 }, manifest), isTrusted({ force: 8 }, forced)]).toEqual([false, false]);
  });
});

describe('a manifest that cannot be read', () => {
  test('fails every question about what is published, and is left as it is', async () => {
    const { dir, at } = await published();
    await writeFile(at('.prefetch/manifest.json'), '{"version":2}');
    for (const ask of [() => dir.manifest(live()), () => dir.compare(live()), () => dir.inspect(live())]) {
      await expect(ask()).rejects.toMatchObject({ code: 'ManifestUnreadable', details: { version: 2 } });
    }
    await expect(dir.findIntact(always, live())).rejects.toMatchObject({ code: 'ManifestUnreadable' });
    await expect(dir.compare(live()).catch(asNotIntact)).rejects.toMatchObject({ code: 'DirNotIntact' });
    expect(await readFile(at('.prefetch/manifest.json'), 'utf8')).toBe('{"version":2}');
  });
});

describe('a manifest that is withdrawn', () => {
  test('is gone, and the files stay', async () => {
    const { dir, publishedDir } = await published();
    await dir.withdraw(publishedDir, live());
    expect(await dir.manifest(live())).toBeUndefined();
    expect((await dir.objects([], live())).size).toBe(2);
  });

  test('stays where another run has published meanwhile', async () => {
    const { dir, publishedDir, manifest } = await published();
    await dir.publish({ ...manifest, revision: 'later' }, live());
    await dir.withdraw(publishedDir, live());
    expect((await dir.manifest(live()))?.manifest.revision).toBe('later');
  });
});

/** A published Dir on the disk, in a store that writes down what it is asked for. */
async function published() {
  const folder = await tmpFolder();
  const asked: string[] = [];
  const store = listening(await openStore(`${pathToFileURL(folder).href}/`), asked);
  const dir = openDir(store, 'dir/');
  const listed = await Promise.all(
    Object.entries(files).map(async ([path, text]) => {
      const { etag } = await store.put(`dir/${path}`, Buffer.from(text), live());
      return { path, size: text.length, sha256: createHash('sha256').update(text).digest('hex'), etag };
    })
  );
  const manifest: Manifest = {
    version: 1,
    repo: 'org/model',
    revision: 'main',
    commit: 'a'.repeat(40),
    artifactName: 'model',
    format: 'huggingface',
    selection: { kind: 'all', include: [], exclude: [] },
    tool: { name: 'test', version: '0' },
    createdAt: '2026-01-01T00:00:00.000Z',
    fileCount: listed.length,
    totalBytes: listed.reduce((total, { size }) => total + size, 0),
    files: listed,
  };
  const publishedDir = await dir.publish(manifest, live());
  asked.length = 0;
  return { folder, store, asked, dir, manifest, publishedDir, at: (path: string) => join(folder, 'dir', path) };
}

function listening(store: ObjectStore, asked: string[]): ObjectStore {
  return {
    ...store,
    get: (key, options) => (asked.push(`get ${key}`), store.get(key, options)),
    head: (key, options) => (asked.push(`head ${key}`), store.head(key, options)),
    list: (prefix, options) => (asked.push(`list ${prefix}`), store.list(prefix, options)),
    readTarget: (key, options) => (asked.push(`read ${key}`), store.readTarget(key, options)),
  };
}
