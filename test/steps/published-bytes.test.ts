import { createHash } from 'node:crypto';
import { readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { planPrefetch } from '../../src/steps/plan-prefetch.js';
import { publishDir } from '../../src/steps/publish-dir.js';
import { transferBatch } from '../../src/steps/transfer-batch.js';
import type { Dir, Manifest, PlanOutcome, PrefetchSpec } from '../../src/core/contract.js';
import { PrefetchError } from '../../src/core/errors.js';
import type { Hub, HubFile } from '../../src/hub/hub.js';
import type { ObjectInfo, ObjectStore } from '../../src/storage/object-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { createEngine } from '../../src/transfer/engine.js';
import { modelSpec } from '../helpers/spec.js';
import { tmpFolder } from '../helpers/tmp.js';

const signal = new AbortController().signal;
const OTHER_COMMIT = 'b'.repeat(40);
const files: Readonly<Record<string, string>> = { 'config.json': '{}', 'model.bin': 'weights', 'a/b.txt': 'text' };

describe('a published Dir whose objects have other etags', () => {
  test('is a hit when their bytes are right, and its manifest gets the new etags', async () => {
    const { run, at, manifest } = await published();
    const before = await manifest();
    await utimes(at('model.bin'), 1, 1);
    expect((await run.plan()).kind).toBe('hit');
    const after = await manifest();
    expect(after.files.map(({ etag }) => etag)).not.toEqual(before.files.map(({ etag }) => etag));
    expect(after.files.map(({ sha256 }) => sha256)).toEqual(before.files.map(({ sha256 }) => sha256));
  });

  test('is a hit with the Hub down, too', async () => {
    const { run, at } = await published();
    await utimes(at('model.bin'), 1, 1);
    expect((await run.plan({ hubAnswered: false })).kind).toBe('hit');
  });

  test('is brought anew when their bytes are wrong, and not published until it is', async () => {
    const { run, at, manifest } = await published();
    await writeFile(at('model.bin'), 'WEIGHTS');
    expect((await run.plan()).kind).toBe('fetch');
    await expect(manifest()).rejects.toThrow('ENOENT');
    await run.all();
    expect(await readFile(at('model.bin'), 'utf8')).toBe('weights');
  });

  test('is a hit when only the list is old', async () => {
    const { run, store, spec } = await published();
    const stale = runOf(
      withList(store, spec, (listed) => listed.filter(({ key }) => !key.endsWith('model.bin'))),
      spec
    );
    expect((await stale.plan()).kind).toBe('hit');
    expect((await run.plan()).kind).toBe('hit');
  });

  test('keeps what a later version wrote into its manifest', async () => {
    const { run, at, store, spec } = await published();
    const key = `${spec.dirKey}.prefetch/manifest.json`;
    const raw = JSON.parse(String(await store.get(key).then((bytes) => Buffer.from(bytes ?? [])))) as {
      files: object[];
    };
    const later = { ...raw, facts: 'sha256:0', files: raw.files.map((file) => ({ ...file, crc: 1 })) };
    await store.put(key, Buffer.from(JSON.stringify(later)));
    expect((await run.plan()).kind).toBe('hit');
    await utimes(at('model.bin'), 1, 1);
    expect((await run.plan()).kind).toBe('hit');
    const kept = JSON.parse(await readFile(at('.prefetch/manifest.json'), 'utf8')) as typeof later;
    expect(kept.facts).toBe('sha256:0');
    expect(kept.files.every((file) => 'crc' in file)).toBe(true);
  });
});

describe('a manifest that this version cannot read', () => {
  test.each([
    ['of a later version', '{"version":2,"files":[]}', 2],
    ['that is no JSON', 'torn {', undefined],
    ['that names a path outside of the Dir', undefined, 1],
  ])('%s is neither withdrawn nor written over', async (_what, text, version) => {
    const { run, at } = await published();
    const path = at('.prefetch/manifest.json');
    const bad = text ?? (await readFile(path, 'utf8')).replace('"a/b.txt"', '"../../../../etc/passwd"');
    await writeFile(path, bad);
    for (const change of [{}, { force: 7 }, { hubAnswered: false }]) {
      await expect(run.plan(change)).rejects.toMatchObject({ code: 'ManifestUnreadable', permanent: true });
    }
    const error: unknown = await run.plan().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ details: { key: expect.stringContaining('manifest.json') as string, version } });
    expect(await readFile(path, 'utf8')).toBe(bad);
  });
});

describe('a manifest is no hit', () => {
  const edits: [string, (manifest: Manifest) => object][] = [
    ['of another commit', (manifest) => ({ ...manifest, commit: OTHER_COMMIT })],
    ['of another artifact', (manifest) => ({ ...manifest, artifactName: 'other' })],
    [
      'of another selection',
      (manifest) => ({ ...manifest, selection: { ...manifest.selection, include: ['*.json'] } }),
    ],
    ['that names no files', (manifest) => ({ ...manifest, files: [], fileCount: 0, totalBytes: 0 })],
    ['whose count is not that of its files', (manifest) => ({ ...manifest, fileCount: 2 })],
    ['that names fewer files than the store lists', fewer],
  ];

  test.each(edits)('%s: the Dir is looked at again and published as what it is', async (_what, edit) => {
    const { run, at, manifest } = await published();
    const right = await manifest();
    await writeFile(at('.prefetch/manifest.json'), JSON.stringify(edit(right)));
    const dir = await run.all();
    expect(dir).toMatchObject({ repo: right.repo, commit: right.commit, fileCount: 3 });
    const { artifactName, selection, files: named } = await manifest();
    expect({ artifactName, selection }).toEqual({ artifactName: right.artifactName, selection: right.selection });
    expect(named.map(({ path }) => path)).toEqual(right.files.map(({ path }) => path));
  });

  test('where the Dir was moved to the folder of another commit', async () => {
    const { folder, store, spec } = await published();
    const moved = { ...spec, commit: OTHER_COMMIT, dirKey: `model/${OTHER_COMMIT}/` };
    await rename(join(folder, spec.dirKey), join(folder, moved.dirKey));
    const run = runOf(store, moved, { ...files, 'config.json': '{"other":1}' });
    expect((await run.plan()).kind).toBe('fetch');
    // What the moved manifest names is about to be replaced.
    expect(await store.get(`${moved.dirKey}.prefetch/manifest.json`)).toBeUndefined();
    expect(await run.all()).toMatchObject({ commit: OTHER_COMMIT });
    expect(await readFile(join(folder, moved.dirKey, 'config.json'), 'utf8')).toBe('{"other":1}');
  });

  test('of a repo under another name, whose files are not read again for that', async () => {
    const { store, spec } = await published();
    const read: string[] = [];
    const watched: ObjectStore = {
      ...store,
      readTarget: (key) => {
        read.push(key);
        return store.readTarget(key);
      },
    };
    const other = runOf(watched, { ...spec, repo: 'former-owner/model' });
    expect(await other.all()).toMatchObject({ repo: 'former-owner/model', fileCount: 3 });
    expect(read).toEqual([]);
  });

  test.each(['RateLimited', 'HubProtocol'] as const)(
    'but is one beside files that a user put there, while the Hub answers with %s, too',
    async (code) => {
      const { store, spec, at } = await published();
      await writeFile(at('notes.txt'), 'mine');
      const unwell = runOf(store, spec, files, [], new PrefetchError(code, 'come back later'));
      expect((await unwell.plan()).kind).toBe('hit');
    }
  );

  test('but is one beside files that a user put there, with and without the Hub', async () => {
    const { run, at } = await published();
    await writeFile(at('notes.txt'), 'mine');
    expect((await run.plan()).kind).toBe('hit');
    expect((await run.plan({ hubAnswered: false })).kind).toBe('hit');
    expect(await readFile(at('notes.txt'), 'utf8')).toBe('mine');
  });
});

describe('a Dir of a repo and of its copy, which have one commit and one last name', () => {
  test('is a hit for both, each under its own name, and nothing of it is written or fetched again', async () => {
    const { run, store, spec, manifest } = await published();
    const before = await manifest();
    const asked: string[] = [];
    const copy = runOf(store, { ...spec, repo: 'fork/model' }, files, asked);
    for (const [each, repo] of [
      [copy, 'fork/model'],
      [run, 'org/model'],
      [copy, 'fork/model'],
    ] as const) {
      expect(await each.plan()).toMatchObject({ kind: 'hit', dir: { repo, fileCount: 3 } });
    }
    expect(await copy.plan({ repo: 'fork/model', hubAnswered: false })).toMatchObject({ dir: { repo: 'fork/model' } });
    expect(asked).toEqual([]);
    expect(await manifest()).toEqual(before);
  });

  test.each([
    ['other bytes', { ...files, 'config.json': '{"other":1}' }],
    ['fewer files', { 'config.json': '{}' }],
    ['more files', { ...files, 'more.json': '{}' }],
  ])('is none where the other repo has %s under that commit', async (_what, others) => {
    const { store, spec } = await published();
    expect((await runOf(store, { ...spec, repo: 'other/model' }, others).plan()).kind).toBe('fetch');
  });
});

describe('what an earlier commit has', () => {
  test('is copied when its bytes are right, and the Hub is not asked for it', async () => {
    const { store, spec } = await published();
    const asked: string[] = [];
    const next = nextCommit(store, spec, asked);
    await next.run.all();
    expect(asked).toEqual(['config.json']);
  });

  test('is not copied when its bytes changed under their etag', async () => {
    const { store, spec, at, manifest } = await published();
    const { mtime } = await import('node:fs').then((fs) => fs.statSync(at('model.bin')));
    await writeFile(at('model.bin'), 'WEIGHTS');
    await utimes(at('model.bin'), mtime, mtime);
    // However it came about, the record and the store agree on the etag.
    const etag = (await store.head(`${spec.dirKey}model.bin`))?.etag ?? '';
    const { files: listed, ...rest } = await manifest();
    const said = listed.map((file) => (file.path === 'model.bin' ? { ...file, etag } : file));
    await writeFile(at('.prefetch/manifest.json'), JSON.stringify({ ...rest, files: said }));
    const asked: string[] = [];
    const next = nextCommit(store, spec, asked);
    await next.run.all();
    expect(asked.sort()).toEqual(['config.json', 'model.bin']);
    expect(String(Buffer.from((await store.get(`${next.spec.dirKey}model.bin`)) ?? []))).toBe('weights');
  });

  test('is passed over where its manifest names a path outside of its Dir', async () => {
    const { store, spec, at } = await published();
    const path = at('.prefetch/manifest.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"model.bin"', '"../../../../etc/passwd"'));
    const asked: string[] = [];
    expect(await nextCommit(store, spec, asked).run.all()).toMatchObject({ fileCount: 3 });
    expect(asked.sort()).toEqual(['config.json', 'model.bin']);
  });
});

test('a run that began while the Hub was away goes on once the Hub is back', async () => {
  const { store, spec, run } = await setUp();
  const away = runOf(store, spec, files, [], new PrefetchError('HubUnavailable', 'no answer'));
  const message = /is not complete in the store, and .* does not answer: no answer/;
  await expect(away.plan({ hubAnswered: false })).rejects.toThrow(message);
  const elsewhere = runOf(store, spec, files, [], new PrefetchError('HubProtocol', 'a page for people'));
  const failure = elsewhere.plan({ hubAnswered: false });
  await expect(failure).rejects.toMatchObject({ code: 'HubProtocol', permanent: true });
  await expect(failure).rejects.toThrow(/is not complete in the store, and .*: a page for people/);
  expect((await run.plan({ hubAnswered: false })).kind).toBe('fetch');
});

test('bytes that a link borrows are replaced by bytes of the Dir', async () => {
  const { store, spec, folder } = await setUp();
  await writeFile(join(folder, 'elsewhere.bin'), 'weights');
  await store.put(`${spec.dirKey}config.json`, Buffer.from('{}'));
  await symlink(join(folder, 'elsewhere.bin'), join(folder, spec.dirKey, 'model.bin'));
  await runOf(store, spec).all();
  await rm(join(folder, 'elsewhere.bin'));
  expect(await readFile(join(folder, spec.dirKey, 'model.bin'), 'utf8')).toBe('weights');
});

test('a run that ended before it tidied up leaves its plans to the next one', async () => {
  const { run, store, spec } = await setUp();
  const outcome = await run.plan();
  await run.all();
  const left = `${spec.dirKey}.prefetch/${'0'.repeat(16)}/plan.json`;
  if (outcome.kind !== 'fetch') throw new Error('a hit');
  await store.put(left, Buffer.from('{}'));
  expect((await run.plan()).kind).toBe('hit');
  expect(await store.head(left)).toBeUndefined();
});

test('a store that lists what was written a minute ago only does not keep a Dir from being published', async () => {
  const { store, spec } = await setUp();
  const blind = runOf(
    withList(store, spec, (listed) => listed.filter(({ key }) => key.includes('.prefetch/'))),
    spec
  );
  expect(await blind.all()).toMatchObject({ fileCount: 3 });
});

function fewer(manifest: Manifest): object {
  const [first, ...kept] = manifest.files;
  return { ...manifest, files: kept, fileCount: 2, totalBytes: manifest.totalBytes - (first?.size ?? 0) };
}

function withList(store: ObjectStore, spec: PrefetchSpec, change: (listed: ObjectInfo[]) => ObjectInfo[]): ObjectStore {
  return {
    ...store,
    async *list(prefix, options) {
      const listed: ObjectInfo[] = [];
      for await (const info of store.list(prefix, options)) listed.push(info);
      yield* prefix === spec.dirKey ? change(listed) : listed;
    },
  };
}

function nextCommit(store: ObjectStore, before: PrefetchSpec, asked: string[]) {
  const spec = { ...before, commit: OTHER_COMMIT, dirKey: `model/${OTHER_COMMIT}/` };
  return { spec, run: runOf(store, spec, { ...files, 'config.json': '{"next":1}' }, asked) };
}

async function setUp() {
  const folder = await tmpFolder();
  const store = await openStore(pathToFileURL(folder).href);
  const spec = modelSpec(store.root);
  return { folder, store, spec, run: runOf(store, spec) };
}

async function published() {
  const setup = await setUp();
  await setup.run.all();
  const at = (path: string) => join(setup.folder, setup.spec.dirKey, path);
  const manifest = async () => JSON.parse(await readFile(at('.prefetch/manifest.json'), 'utf8')) as Manifest;
  return { ...setup, at, manifest };
}

/** The steps of runs of one spec. */
function runOf(
  store: ObjectStore,
  spec: PrefetchSpec,
  content = files,
  asked: string[] = [],
  listingFails?: PrefetchError
) {
  const engine = createEngine({ partSizeBytes: 1024, lanes: 2, memoryBytes: 8192 });
  const needs = {
    hub: hubOf(content, asked, listingFails),
    engine,
    openStore: () => Promise.resolve(store),
    readToken: () => Promise.resolve(undefined),
    transferMode: 'stream' as const,
    tool: { name: 'test', version: '0' },
  };
  const plan = (change: Partial<PrefetchSpec> = {}): Promise<PlanOutcome> =>
    planPrefetch(needs, { ...spec, ...change }, { signal });
  return {
    plan,
    all: async (): Promise<Dir> => {
      const outcome = await plan();
      if (outcome.kind === 'hit') return outcome.dir;
      const { planId, batchCount } = outcome.plan;
      const moving = {
        ...needs,
        moveFile: (...moved: Parameters<typeof engine.transferFile>) => engine.transferFile(...moved),
      };
      for (let batch = 0; batch < batchCount; batch++) {
        await transferBatch(moving, { spec, planId, batch }, { signal, onProgress: () => undefined });
      }
      return publishDir(needs, spec, outcome.plan, { signal, now: new Date() });
    },
  };
}

function hubOf(content: Readonly<Record<string, string>>, asked: string[], listingFails?: PrefetchError): Hub {
  return {
    endpoint: 'http://127.0.0.1',
    whoAmI: () => Promise.reject(new Error('not asked')),
    resolveRevision: () => Promise.reject(new Error('not asked')),
    checkAccess: () => Promise.reject(new Error('not asked')),
    async *listFiles() {
      if (listingFails !== undefined) throw listingFails;
      for (const [path, text] of Object.entries(content)) {
        await Promise.resolve();
        const hex = createHash('sha256').update(text).digest('hex');
        yield { path, size: text.length, digest: { algorithm: 'sha256', hex } } satisfies HubFile;
      }
    },
    describe: () => Promise.reject(new Error('the listing says all')),
    locate: () => Promise.reject(new Error('small files are read whole')),
    read: ({ path }) => {
      asked.push(path);
      return Promise.resolve(Buffer.from(content[path] ?? ''));
    },
  };
}
