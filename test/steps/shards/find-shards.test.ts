import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { findShards } from '../../../src/steps/shards/find-shards.js';
import { shardInProcess } from '../../../src/steps/shards/shard-in-process.js';
import { jobOfRun } from '../../../src/steps/shards/sharding-job.js';
import { openDir } from '../../../src/dir/open-dir.js';
import type { Dir, PrefetchSpec } from '../../../src/core/contract.js';
import type { ActivityDependencies } from '../../../src/steps/dependencies.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { modelSpec } from '../../helpers/spec.js';
import { live } from '../../helpers/transfer-setup.js';
import { publishAsDir, requestOf, setUpJob, type JobSetup } from './setup.js';

/** A request whose Dir is that of the setup, while the Hub does not answer. */
function specOf({ store }: JobSetup, change: Partial<PrefetchSpec> = {}): PrefetchSpec {
  return {
    ...modelSpec(store.root),
    commit: 'c'.repeat(40),
    dirKey: 'my.model/',
    shardConfig: requestOf(),
    hubAnswered: false,
    ...change,
  };
}

async function shardAs(setup: JobSetup, spec: PrefetchSpec): Promise<Dir> {
  const published = await openDir(setup.store, spec.dirKey).manifest(live());
  const job = jobOfRun(spec, published?.manifest, setup.store);
  return (await shardInProcess(setup.dependencies, job, { ...live(), onMoment: () => undefined })).dir;
}

async function published(change: Partial<PrefetchSpec> = {}) {
  const setup = await setUpJob();
  await publishAsDir(setup.source);
  const dir = await shardAs(setup, specOf(setup, change));
  return {
    setup,
    dir,
    folder: fileURLToPath(dir.path),
    find: (spec: Partial<PrefetchSpec> = {}) => findShards(setup.dependencies, specOf(setup, spec), live()),
  };
}

describe('the sharded Dir of the same request', () => {
  test('lies beside the Dir that it was made of, and is found without the Hub and without that Dir', async () => {
    const { setup, dir, find } = await published();
    expect(dir.path).toMatch(/\/my\.model\.vllm-tp2-bfloat16-[0-9a-f]{8}\/$/);
    await rm(setup.source, { recursive: true });
    expect(await find()).toEqual(dir);
  });

  test('is known by the revision that is asked for now', async () => {
    const { dir, find } = await published();
    expect(await find({ revision: 'v2' })).toEqual({ ...dir, revision: 'v2' });
  });

  test('is none of another request, nor of one that wants no shards', async () => {
    const { setup, find } = await published();
    const others = [{ tensorParallelSize: 4 }, { dtype: 'float16' as const }, { maxFileSize: 100_000 }];
    for (const args of others) expect(await find({ shardConfig: requestOf({ args }) })).toBeUndefined();
    const unsharded = { ...modelSpec(setup.store.root), dirKey: 'my.model/' };
    expect(await findShards(setup.dependencies, unsharded, live())).toBeUndefined();
    expect(await find({ dirKey: 'other/' })).toBeUndefined();
  });

  test('is none where a file of it is gone', async () => {
    const { folder, find } = await published();
    await rm(join(folder, 'model-rank-1-part-0.safetensors'));
    expect(await find()).toBeUndefined();
  });

  test('is none for another force number, and is for the same one', async () => {
    const { dir, find } = await published({ force: 1 });
    expect(await find({ force: 1 })).toEqual(dir);
    expect(await find({ force: 2 })).toBeUndefined();
    expect(await find()).toEqual(dir);
  });

  test('is found among others of the same model', async () => {
    const { setup, dir, find } = await published();
    const smaller = requestOf({ args: { maxFileSize: 100_000 } });
    const other = await shardAs(setup, specOf(setup, { shardConfig: smaller }));
    expect(other.path).not.toBe(dir.path);
    expect([await find(), await find({ shardConfig: smaller })]).toEqual([dir, other]);
  });
});

describe('a request that is sure to be refused', () => {
  /** A Hub with a model of which only its config is read. */
  function asking(setup: JobSetup, files: readonly string[], config: object): ActivityDependencies {
    const { hub } = setup.dependencies;
    const bytes = Buffer.from(JSON.stringify(config));
    return {
      ...setup.dependencies,
      hub: {
        ...hub,
        listFiles: async function* () {
          await Promise.resolve();
          for (const path of files) {
            yield { path, size: path === 'config.json' ? bytes.length : 10, digest: { algorithm: 'sha256', hex: '' } };
          }
        },
        read: () => Promise.resolve(bytes),
      },
    };
  }

  const FILES = ['config.json', 'model.safetensors'];

  test.each<{ what: string; model?: string; files?: string[]; config?: object; args?: object; reason: string }>([
    { what: 'architecture', config: { architectures: ['GPT2LMHeadModel'] }, reason: 'architecture' },
    { what: 'ranks', args: { tensorParallelSize: 3 }, reason: 'tensor-parallel-size' },
    { what: 'weights', files: ['config.json', 'pytorch_model.bin'], reason: 'weights-format' },
    { what: 'release', args: { vllmVersion: '0.12.0' }, reason: 'vllm-version' },
    { what: 'data type', model: 'gemma2', args: { dtype: 'float16' }, reason: 'dtype' },
  ])(
    'for its $what is, before any byte moves',
    async ({ model = 'llama-untied', files = FILES, config = {}, args = {}, reason }) => {
      const setup = await setUpJob(model);
      const needs = asking(setup, files, { ...setup.model.config, ...config });
      const spec = specOf(setup, { hubAnswered: true, shardConfig: requestOf({ args }) });
      expect(await lateRefusal(findShards(needs, spec, live()))).toMatchObject({ code: 'UnsupportedSharding', reason });
    }
  );

  test('is not judged while the Hub does not answer, and one that may work is let through', async () => {
    const setup = await setUpJob();
    expect(await findShards(setup.dependencies, specOf(setup), live())).toBeUndefined();
    const needs = asking(setup, FILES, setup.model.config);
    expect(await findShards(needs, specOf(setup, { hubAnswered: true }), live())).toBeUndefined();
  });
});

test('a Dir that is not published any more cannot be sharded', async () => {
  const setup = await setUpJob();
  expect(await lateRefusal(shardAs(setup, specOf(setup)))).toMatchObject({ code: 'ObjectChanged' });
});
