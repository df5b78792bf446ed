import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Dir, Manifest, PlanOutcome, PrefetchSpec } from '../../src/core/contract.js';
import type { Digest } from '../../src/core/digest.js';
import { PrefetchError } from '../../src/core/errors.js';
import type { FileSelection } from '../../src/core/identity.js';
import { dirKey } from '../../src/core/keys.js';
import type { Hub } from '../../src/hub/hub.js';
import { dryRun } from '../../src/steps/dry-run.js';
import { planPrefetch } from '../../src/steps/plan-prefetch.js';
import { publishDir } from '../../src/steps/publish-dir.js';
import { transferBatch } from '../../src/steps/transfer-batch.js';
import type { ObjectStore } from '../../src/storage/object-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { createEngine } from '../../src/transfer/engine.js';
import { modelSpec } from '../helpers/spec.js';
import { tmpFolder } from '../helpers/tmp.js';

const signal = new AbortController().signal;
const vllm: FileSelection = { kind: 'vllm', include: [], exclude: [] };
/** What the rule of an earlier release took: a state of a training too, and no `tokenizer.model.v3`. */
const earlier = { 'config.json': '{}', 'model.safetensors': 'weights', 'trainer_state.json': '{"step":1}' };
const lacking = { 'tokenizer.model.v3': 'v3', 'sparse_linear.pt': 'sparse' };
const repo = { ...earlier, ...lacking, 'pytorch_model.bin': 'the same weights' };
/** All that the selection takes by now. */
const selected = { ...earlier, ...lacking };
const all: FileSelection = { kind: 'all', include: [], exclude: [] };
const unwell = new PrefetchError('RateLimited', 'The Hub says 429');

describe('a Dir of selection vllm that an earlier release published with fewer files', () => {
  test('is completed in place: what it lacks is fetched, and nothing that its manifest names is touched', async () => {
    const { run, manifest, written, asked } = await published();
    const before = await manifest();
    const outcome = await run.plan();
    expect(outcome).toMatchObject({ kind: 'fetch', plan: { fetchFiles: 2, served: { fileCount: 3 } } });
    expect(await manifest()).toEqual(before);
    await run.all();
    const after = await manifest();
    expect(new Set(after.files.map(({ path }) => path))).toEqual(new Set(Object.keys(selected)));
    expect(after.selection).toEqual(before.selection);
    expect(after.files.filter(({ path }) => path in earlier)).toEqual(before.files);
    expect(new Set(asked)).toEqual(new Set(Object.keys(lacking)));
    expect(written.filter((path) => path in earlier)).toEqual([]);
    expect((await run.plan()).kind).toBe('hit');
  });

  test('keeps its manifest until the complete one is written over it', async () => {
    const { run, store, spec, written, deleted } = await published();
    await run.all();
    expect(written).toContain('.prefetch/manifest.json');
    expect(deleted).not.toContain('.prefetch/manifest.json');
    expect(await store.get(`${spec.dirKey}.prefetch/manifest.json`)).toBeDefined();
  });

  test('is completed by the run that began it, though another one is served meanwhile', async () => {
    const { run, runWith, manifest } = await published();
    const outcome = await run.plan();
    expect((await runWith({ listingFails: unwell }).plan()).kind).toBe('hit');
    expect(await run.finish(outcome)).toMatchObject({ fileCount: 5 });
    expect((await manifest()).fileCount).toBe(5);
  });

  test.each([
    ['passes', unwell],
    ['does not pass', new PrefetchError('RepoNotFound', 'The Hub says 404')],
  ])('is served with a warning while the Hub does not list, by a failure that %s', async (_how, failure) => {
    const { runWith, warnings } = await published();
    expect((await runWith({ listingFails: failure }).plan()).kind).toBe('hit');
    expect(warnings).toEqual([expect.stringContaining(failure.text)]);
    expect(warnings[0]).toContain('is served as it is');
  });

  test('is served at once where the Hub did not answer when the run began', async () => {
    const { run, listings, warnings } = await published();
    expect((await run.plan({ hubAnswered: false })).kind).toBe('hit');
    expect(listings).toHaveLength(0);
    expect(warnings).toHaveLength(1);
  });

  test('is served with a warning from a store that may not be written', async () => {
    const { runWith, store, warnings } = await published();
    const refusal = new PrefetchError('StoreAccessDenied', 'may only be read');
    const readOnly: ObjectStore = { ...store, checkWritable: () => Promise.reject(refusal) };
    expect((await runWith({ store: readOnly }).plan()).kind).toBe('hit');
    expect(warnings).toEqual([expect.stringContaining('may only be read')]);
  });

  test('lacks nothing that the globs of its request leave out', async () => {
    const selection = { kind: 'vllm', include: [], exclude: ['*.v3', 'sparse*'] } as const;
    const { run, warnings } = await published({ selection });
    expect((await run.plan()).kind).toBe('hit');
    expect(warnings).toEqual([]);
  });

  test('is completed through a mirror that says digests of another algorithm', async () => {
    const { run, manifest, asked, written } = await published({ algorithm: 'gitSha1' });
    const before = await manifest();
    expect(await run.plan()).toMatchObject({ kind: 'fetch', plan: { fetchFiles: 2, served: { fileCount: 3 } } });
    await run.all();
    const after = await manifest();
    expect(after.files.filter(({ path }) => path in earlier)).toEqual(before.files);
    expect(after.files.filter(({ sha256 }) => sha256 !== undefined).map(({ path }) => path)).toEqual(
      Object.keys(lacking)
    );
    expect(new Set(asked)).toEqual(new Set(Object.keys(lacking)));
    expect(written.filter((path) => path in earlier)).toEqual([]);
    expect((await run.plan()).kind).toBe('hit');
  });

  test.each([
    ['another digest of a file', { ...repo, 'config.json': '[]' }, 'lists "config.json" with sha256:'],
    ['another size of a file', { ...repo, 'config.json': '{"other":1}' }, 'lists "config.json" with sha256:'],
    ['all but a file', { ...lacking, 'model.safetensors': 'weights' }, 'does not list "config.json"'],
  ])('stays as it is, with a warning, where the Hub lists %s', async (_what, content, why) => {
    for (const algorithm of ['sha256', 'gitSha1'] as const) {
      const { runWith, manifest, warnings } = await published({ algorithm });
      const before = await manifest();
      expect((await runWith({ content, algorithm }).plan()).kind).toBe('hit');
      expect(await manifest()).toEqual(before);
      expect(warnings).toEqual([expect.stringContaining(why.replace('sha256', algorithm))]);
    }
  });

  test('is brought anew by a new force number, whatever the Hub lists', async () => {
    for (const content of [repo, { ...repo, 'config.json': '[]' }]) {
      const { runWith, manifest } = await published({ algorithm: 'gitSha1' });
      const outcome = await runWith({ content }).plan({ force: 1 });
      expect(outcome).toMatchObject({ kind: 'fetch', plan: { fetchFiles: 4 } });
      expect(outcome).not.toHaveProperty('plan.served');
      await expect(manifest()).rejects.toThrow('ENOENT');
    }
  });
});

describe('a Dir that another endpoint knows by digests of another algorithm', () => {
  test('is a hit that is complete, and not asked about again', async () => {
    const { run, manifest, warnings, listings } = await published({ algorithm: 'gitSha1', content: selected });
    const before = await manifest();
    expect([(await run.plan()).kind, (await run.plan()).kind]).toEqual(['hit', 'hit']);
    expect(listings).toHaveLength(1);
    expect(warnings).toEqual([]);
    expect(await manifest()).toEqual(before);
  });

  test.each([
    ['a listing of the same files', repo],
    ['a listing that contradicts it', { ...repo, 'config.json': '{"other":1}' }],
  ])('is a hit beside a file of a user, by %s', async (_what, content) => {
    const { runWith, manifest, folder, spec } = await published({
      algorithm: 'gitSha1',
      selection: all,
      content: repo,
    });
    await writeFile(join(folder, spec.dirKey, 'notes.txt'), 'mine');
    const before = await manifest();
    expect((await runWith({ content }).plan()).kind).toBe('hit');
    expect(await manifest()).toEqual(before);
  });

  test('is asked for nothing but the file that it lost', async () => {
    const { run, folder, spec, asked } = await published({ algorithm: 'gitSha1', content: selected });
    await rm(join(folder, spec.dirKey, 'tokenizer.model.v3'));
    await run.all();
    expect(asked).toEqual(['tokenizer.model.v3']);
  });
});

describe('a Hub that does not come to an end with its answer', () => {
  test.each([
    ['the listing', { hangs: 'listing' }],
    ['the digest of a file', { hangs: 'digest' }],
  ] as const)('is not waited for longer than a hit is worth: %s', async (_what, change) => {
    const { runWith, warnings, listings } = await published();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const planned = runWith(change).plan();
    await vi.waitFor(() => {
      expect(listings).toHaveLength(1);
    });
    await vi.advanceTimersByTimeAsync(8_000);
    expect((await planned).kind).toBe('hit');
    expect((await runWith(change).plan()).kind).toBe('hit');
    expect(listings).toHaveLength(1);
    expect(warnings).toHaveLength(2);
    expect(new Set(warnings).size).toBe(1);
    expect(warnings[0]).toContain('within 8 s');
  });

  test('makes no hit of a run that is cancelled meanwhile', async () => {
    const { runWith, listings, warnings } = await published();
    const cancelled = new AbortController();
    const planned = runWith({ hangs: 'listing' }).plan({}, cancelled.signal);
    await vi.waitFor(() => {
      expect(listings).toHaveLength(1);
    });
    cancelled.abort(new Error('cancelled'));
    await expect(planned).rejects.toThrow('cancelled');
    expect(warnings).toEqual([]);
  });
});

describe('a dry run', () => {
  const input = { repo: 'org/model', selection: 'vllm' };

  test('names the Dir that is completed, and what it lacks', async () => {
    const { needsOf, manifest, listings } = await published();
    const before = await manifest();
    const plan = await dryRun(input, needsOf({}), { signal });
    expect(plan).toMatchObject({ completes: { fileCount: 3 }, selection: { weights: 'safetensors' } });
    const lacks = plan.files.filter(({ state }) => state === 'fetch').map(({ path }) => path);
    expect(lacks).toEqual(Object.keys(lacking));
    expect(plan).not.toHaveProperty('published');
    expect(await manifest()).toEqual(before);
    expect(listings).toHaveLength(1);
  });

  test('says that nobody knows what the Dir lacks while the Hub does not list', async () => {
    const { needsOf, listings } = await published();
    const plan = await dryRun(input, needsOf({ listingFails: unwell }), { signal });
    expect(plan).toMatchObject({ published: { fileCount: 3 }, unchecked: 'The Hub says 429' });
    expect(plan).not.toHaveProperty('selection');
    expect(listings).toHaveLength(1);
  });
});

describe('the Hub is asked for a listing on a hit', () => {
  test('of selection vllm, once for a manifest in one process', async () => {
    const { run, listings } = await published();
    await run.all();
    listings.length = 0;
    const kinds = [await run.plan(), await run.plan(), await run.plan()].map(({ kind }) => kind);
    expect(kinds).toEqual(['hit', 'hit', 'hit']);
    expect(listings).toHaveLength(1);
  });

  test('of selection vllm again after some minutes, where it did not answer', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const { runWith, listings, warnings } = await published();
    const run = runWith({ listingFails: unwell });
    expect([await run.plan(), await run.plan()].map(({ kind }) => kind)).toEqual(['hit', 'hit']);
    expect(listings).toHaveLength(1);
    expect(warnings).toHaveLength(2);
    vi.setSystemTime(Date.now() + 5 * 60_000);
    expect((await runWith({}).plan()).kind).toBe('fetch');
  });

  test('of selection vllm for another token, where one was refused', async () => {
    const { runWith, run } = await published();
    expect((await runWith({ listingFails: new PrefetchError('RepoNotFound', '404') }).plan()).kind).toBe('hit');
    expect((await run.plan({ hfTokenKey: 'HF_TOKEN_OTHER' })).kind).toBe('fetch');
  });

  test('never of selection all', async () => {
    const { run, listings } = await published({ selection: all });
    expect((await run.plan()).kind).toBe('hit');
    expect(listings).toHaveLength(0);
  });
});

interface Changes {
  readonly content?: Readonly<Record<string, string>>;
  readonly store?: ObjectStore;
  readonly listingFails?: PrefetchError;
  readonly hangs?: 'listing' | 'digest';
  readonly algorithm?: Digest['algorithm'];
}

interface Publishing {
  readonly selection?: FileSelection;
  readonly content?: Readonly<Record<string, string>>;
  readonly algorithm?: Digest['algorithm'];
}

/** A Dir as the rule of an earlier release left it, under the key of the request. */
async function published({ selection = vllm, content: then = earlier, algorithm }: Publishing = {}) {
  const folder = await tmpFolder();
  const opened = await openStore(pathToFileURL(folder).href);
  const model = modelSpec(opened.root);
  const spec: PrefetchSpec = { ...model, selection, dirKey: dirKey(model.artifactName, model.commit, selection) };
  const asked: string[] = [];
  const written: string[] = [];
  const deleted: string[] = [];
  const listings: string[] = [];
  const warnings: string[] = [];
  const store: ObjectStore = {
    ...opened,
    put: (key, ...rest) => {
      written.push(key.slice(spec.dirKey.length));
      return opened.put(key, ...rest);
    },
    delete: (key, ...rest) => {
      deleted.push(key.slice(spec.dirKey.length));
      return opened.delete(key, ...rest);
    },
  };
  const runWith = ({ content = repo, ...changes }: Changes) => {
    const hub = hubOf(content, { ...changes, asked, listings });
    return runOf({ hub, store: changes.store ?? store, spec, warn: (text) => warnings.push(text) });
  };
  const needsOf = ({ listingFails }: Changes) => {
    const hub: Hub = {
      ...hubOf(repo, { asked, listings, listingFails }),
      resolveRevision: () => Promise.resolve({ commit: spec.commit, private: false, gated: false, tags: [] }),
      checkAccess: () => Promise.resolve(),
    };
    return {
      ...runOf({ hub, store, spec }).needs,
      destinations: { store: store.root, allowedRoots: [], anywhere: true, files: true },
    };
  };
  // All files of a smaller repo, and then the name of the selection that would have taken them.
  await runOf({ hub: hubOf(then, { asked, listings, algorithm }), store, spec: { ...spec, selection: all } }).all();
  const path = join(folder, spec.dirKey, '.prefetch/manifest.json');
  const manifest = async () => JSON.parse(await readFile(path, 'utf8')) as Manifest;
  await writeFile(path, JSON.stringify({ ...(await manifest()), selection }));
  for (const list of [asked, written, deleted, listings]) list.length = 0;
  const watched = { asked, written, deleted, listings, warnings };
  return { run: runWith({}), runWith, needsOf, folder, store, spec, manifest, ...watched };
}

interface Running {
  readonly hub: Hub;
  readonly store: ObjectStore;
  readonly spec: PrefetchSpec;
  readonly warn?: (text: string) => void;
}

function runOf({ hub, store, spec, warn = () => undefined }: Running) {
  const engine = createEngine({ partSizeBytes: 1024, lanes: 2, memoryBytes: 8192 });
  const needs = {
    hub,
    warn,
    engine,
    openStore: () => Promise.resolve(store),
    readToken: () => Promise.resolve(undefined),
    transferMode: 'stream' as const,
    tool: { name: 'test', version: '0' },
  };
  const plan = (change: Partial<PrefetchSpec> = {}, until = signal): Promise<PlanOutcome> =>
    planPrefetch(needs, { ...spec, ...change }, { signal: until });
  const finish = async (outcome: PlanOutcome): Promise<Dir> => {
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
  };
  return { needs, plan, finish, all: async (): Promise<Dir> => finish(await plan()) };
}

interface Watched {
  readonly asked: string[];
  readonly listings: string[];
  readonly listingFails?: PrefetchError | undefined;
  readonly hangs?: Changes['hangs'];
  readonly algorithm?: Digest['algorithm'] | undefined;
}

function hubOf(content: Readonly<Record<string, string>>, { asked, listings, ...how }: Watched): Hub {
  const { listingFails, hangs, algorithm = 'sha256' } = how;
  return {
    endpoint: 'http://127.0.0.1',
    whoAmI: () => Promise.reject(new Error('not asked')),
    resolveRevision: () => Promise.reject(new Error('not asked')),
    checkAccess: () => Promise.reject(new Error('not asked')),
    async *listFiles(name, _commit, options) {
      listings.push(name);
      if (hangs === 'listing') await aborted(options?.signal);
      if (listingFails !== undefined) throw listingFails;
      for (const [path, text] of Object.entries(content)) {
        await Promise.resolve();
        yield hangs === 'digest' ? { path } : { path, size: text.length, digest: digestOf(text, algorithm) };
      }
    },
    describe: (_file, options) =>
      hangs === 'digest' ? aborted(options?.signal) : Promise.reject(new Error('not asked')),
    locate: () => Promise.reject(new Error('small files are read whole')),
    read: ({ path }) => {
      asked.push(path);
      return Promise.resolve(Buffer.from(content[path] ?? ''));
    },
  };
}

function digestOf(text: string, algorithm: Digest['algorithm']): Digest {
  const hash =
    algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${String(text.length)}\0`);
  return { algorithm, hex: hash.update(text).digest('hex') };
}

/** What never ends by itself. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => {
      reject(new Error('aborted'));
    });
  });
}
