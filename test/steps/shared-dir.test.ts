import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { planPrefetch } from '../../src/steps/plan-prefetch.js';
import { publishDir } from '../../src/steps/publish-dir.js';
import { transferBatch } from '../../src/steps/transfer-batch.js';
import type { PlanSummary, PrefetchSpec } from '../../src/core/contract.js';
import { PrefetchError } from '../../src/core/errors.js';
import type { Hub } from '../../src/hub/hub.js';
import type { ObjectStore } from '../../src/storage/object-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { createEngine } from '../../src/transfer/engine.js';
import { modelSpec } from '../helpers/spec.js';
import { tmpFolder } from '../helpers/tmp.js';

const signal = new AbortController().signal;
const files = { 'config.json': '{}', 'model.bin': 'weights', 'a/b.txt': 'text' };

describe('a Dir that something else touches', () => {
  test('is published by an attempt that died while it removed the plan, for its retry too', async () => {
    const { run, spec, store, withStore } = await setUp();
    const plan = await run.plan();
    await run.transfer(plan);
    const death = new AbortController();
    const dying = withStore({
      deleteMany: async (keys, options) => {
        expect(keys.length).toBeGreaterThan(1);
        await store.deleteMany(keys.slice(0, 1), options);
        death.abort(new Error('died'));
        throw new Error('the connection is gone');
      },
    });
    await expect(dying.publish(plan, death.signal)).rejects.toThrow('died');
    expect(await run.publish(plan)).toMatchObject({ commit: spec.commit, fileCount: 3 });
  });

  test('is given by a run whose plan another run removed when it published the same Dir', async () => {
    const { run } = await setUp();
    const [first, second] = [await run.plan(), await run.plan()];
    await run.transfer(first);
    await run.transfer(second, 'verify-existing');
    const dir = await run.publish(first);
    expect(await run.publish(second)).toEqual(dir);
  });

  test('keeps the plan of a run that is under way when another run plans', async () => {
    const { run } = await setUp();
    const first = await run.plan();
    await run.transfer(first);
    await run.plan();
    expect(await run.publish(first)).toMatchObject({ fileCount: 3 });
  });

  test('is brought anew when its files were removed and the records of an earlier run were not', async () => {
    const { run, folder, spec } = await setUp();
    await run.transfer(await run.plan());
    for (const name of ['config.json', 'model.bin', 'a']) {
      await rm(join(folder, spec.dirKey, name), { recursive: true });
    }
    const plan = await run.plan();
    await run.transfer(plan);
    expect(await run.publish(plan)).toMatchObject({ fileCount: 3 });
  });

  test('asks for room only for what it does not hold yet', async () => {
    const { store, withStore } = await setUp();
    const asked: (number | undefined)[] = [];
    const asking = withStore({
      checkWritable: (options) => {
        asked.push(options?.bytes);
        return store.checkWritable(options);
      },
    });
    await store.put(`model/${'a'.repeat(40)}/model.bin`, Buffer.from('weights'));
    await asking.plan();
    expect(asked).toEqual([files['config.json'].length + files['a/b.txt'].length]);
  });

  test('has no plans once it is published, whoever made them', async () => {
    const { run, folder, spec } = await setUp();
    await run.plan();
    const plan = await run.plan();
    await run.transfer(plan);
    await run.publish(plan);
    expect(await readdir(join(folder, spec.dirKey, '.prefetch'))).toEqual(['manifest.json']);
  });
});

test('a batch that fails keeps what it verified, also after a record could not be written', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const { run, withStore, store } = await setUp();
  const plan = await run.plan();
  let recordsFailed = 0;
  const failing = withStore({
    put: async (key, body, options) => {
      if (key.endsWith('a/b.txt')) {
        // Longer than a record waits before it is saved.
        vi.setSystemTime(Date.now() + 10_000);
      } else if (/batch-\d+\.json$/.test(key) && recordsFailed++ === 0) {
        throw new PrefetchError('StoreUnavailable', 'gone for a moment');
      }
      return store.put(key, body, options);
    },
  });
  await expect(failing.transfer(plan)).rejects.toMatchObject({ code: 'StoreUnavailable' });
  expect(recordsFailed).toBeGreaterThan(1);
  // All that is left to do is to publish.
  expect(await run.publish(plan)).toMatchObject({ fileCount: 3 });
});

async function setUp() {
  const folder = await tmpFolder();
  const store = await openStore(pathToFileURL(folder).href);
  const spec = modelSpec(store.root);
  const withStore = (changed: Partial<ObjectStore>) => runOf({ ...store, ...changed }, spec);
  return { folder, store, spec, run: withStore({}), withStore };
}

/** The steps of one run. */
function runOf(store: ObjectStore, spec: PrefetchSpec) {
  const engine = createEngine({ partSizeBytes: 1024, lanes: 2, memoryBytes: 8192 });
  const needs = {
    hub,
    engine,
    openStore: () => Promise.resolve(store),
    readToken: () => Promise.resolve(undefined),
    transferMode: 'stream' as const,
    tool: { name: 'test', version: '0' },
  };
  return {
    plan: async (): Promise<PlanSummary> => {
      const outcome = await planPrefetch(needs, spec, { signal });
      if (outcome.kind === 'hit') throw new Error('a hit, where a plan was expected');
      return outcome.plan;
    },
    transfer: async ({ planId, batchCount }: PlanSummary, trust?: 'verify-existing') => {
      for (let batch = 0; batch < batchCount; batch++) {
        await transferBatch(
          {
            ...needs,
            moveFile: (file, options) => engine.transferFile({ ...file, trust: trust ?? file.trust }, options),
          },
          { spec, planId, batch },
          { signal, onProgress: () => undefined }
        );
      }
    },
    publish: (plan: PlanSummary, ending = signal) => publishDir(needs, spec, plan, { signal: ending, now: new Date() }),
  };
}

const hub: Hub = {
  endpoint: 'http://127.0.0.1',
  whoAmI: () => Promise.reject(new Error('not asked')),
  resolveRevision: () => Promise.reject(new Error('not asked')),
  checkAccess: () => Promise.reject(new Error('not asked')),
  async *listFiles() {
    for (const [path, text] of Object.entries(files)) {
      await Promise.resolve();
      const hex = createHash('sha256').update(text).digest('hex');
      yield { path, size: text.length, digest: { algorithm: 'sha256', hex } };
    }
  },
  describe: () => Promise.reject(new Error('the listing says all')),
  locate: () => Promise.reject(new Error('small files are read whole')),
  read: ({ path }) => {
    const text = Object.entries(files).find(([name]) => name === path)?.[1];
    return text === undefined ? Promise.reject(new Error(`no ${path}`)) : Promise.resolve(Buffer.from(text));
  },
};
