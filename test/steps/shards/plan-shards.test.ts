import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { planShards } from '../../../src/steps/shards/plan-shards.js';
import { shardNatively } from '../../../src/steps/shards/shard-natively.js';
import { manifestKey, shardPlanKey } from '../../../src/core/keys.js';
import { shardPlanSchema } from '../../../src/core/schemas/shard-plan.js';
import type { ObjectStore } from '../../../src/storage/object-store.js';
import { startMemoryStore } from '../../helpers/memory-store.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { live } from '../../helpers/transfer-setup.js';
import { filesIn, putFile, setUpJob, type JobSetup } from './setup.js';

async function planned({ store }: JobSetup, planId: string) {
  const bytes = await store.get(shardPlanKey('shards/', planId));
  return bytes === undefined ? undefined : shardPlanSchema.parse(JSON.parse(Buffer.from(bytes).toString()));
}

/** The same job as of a run, whose folder nobody named. */
async function unnamed(setup: JobSetup) {
  const job = await setup.job();
  return { ...job, target: { ...job.target, named: false } };
}

/** A store that writes down how much room it is asked for. */
function asking(store: ObjectStore, asked: (number | undefined)[]): ObjectStore {
  return {
    ...store,
    checkWritable: (options) => {
      asked.push(options?.bytes);
      return store.checkWritable(options);
    },
  };
}

describe('a plan', () => {
  test('says what will be written, and lies in the store with all that decides it', async () => {
    const setup = await setUpJob();
    const { summary } = await setup.plan({ args: { maxFileSize: 100_000 } });
    expect(summary).toMatchObject({
      dirKey: 'shards/',
      engine: 'native',
      reason: 'engine native was asked for',
      tensorParallelSize: 2,
      dtype: 'bfloat16',
      parts: 3,
      checks: 1,
    });
    const plan = await planned(setup, summary.planId);
    expect(plan).toMatchObject({
      profile: 'dense-1',
      headDiffers: false,
      config: setup.model.config,
      model: { repo: 'my.model', revision: 'local', artifactName: 'my-model' },
    });
    expect(plan?.source.weights.map(({ path }) => path)).toEqual(['model.safetensors']);
    expect(plan?.source.others.map(({ path }) => path)).toEqual(['config.json', 'tokenizer.json']);
    // Nothing else is written yet.
    expect([...(await filesIn(setup.target)).keys()]).toEqual([]);
  });

  test('adds up to the shards that are written', async () => {
    const setup = await setUpJob();
    const { summary } = await setup.plan({ args: { maxFileSize: 40_000 } });
    await setup.run({ args: { maxFileSize: 40_000 } });
    const shards = [...(await filesIn(setup.target))].filter(([path]) => path.endsWith('.safetensors'));
    expect(shards).toHaveLength(summary.parts * 2);
    expect(shards.reduce((sum, [, bytes]) => sum + bytes.length, 0)).toBe(summary.totalBytes);
  });

  test('has the same id for the same request, and another one for all that decides a byte', async () => {
    const setup = await setUpJob();
    const idOf = async (change: Parameters<JobSetup['plan']>[0]) => (await setup.plan(change)).summary.planId;
    const first = await idOf({});
    expect(await idOf({})).toBe(first);
    const others = [
      await idOf({ args: { tensorParallelSize: 4 } }),
      await idOf({ args: { dtype: 'float16' } }),
      await idOf({ args: { maxFileSize: 100_000 } }),
      await idOf({ args: { filePattern: '{rank}-{part}.safetensors' } }),
      await idOf({ args: { vllmVersion: '0.13.0' } }),
      await idOf({ force: 1 }),
      await idOf({ force: 2 }),
    ];
    expect(new Set([first, ...others]).size).toBe(8);
    // The same bytes once more are another file, for nobody has read them yet.
    await writeFile(
      join(setup.source, 'model.safetensors'),
      (await filesIn(setup.source)).get('model.safetensors') ?? ''
    );
    expect(await idOf({})).not.toBe(first);
  });

  test('has the same id whatever the model is called and described as', async () => {
    const setup = await setUpJob();
    const job = await setup.job();
    const described = {
      ...job,
      model: { ...job.model, repo: 'other/name', artifactName: 'other' },
      metadata: { task: 'chat' },
      resources: { gpu: 'A100:4' },
    };
    const [one, other] = [
      await planShards(setup.dependencies, job, live()),
      await planShards(setup.dependencies, described, live()),
    ];
    expect(one.kind === 'shard' && other.kind === 'shard' && one.plan.planId === other.plan.planId).toBe(true);
  });

  test('notes a head that differs from the embedding', async () => {
    const setup = await setUpJob('llama-tied-head-different');
    const { summary } = await setup.plan();
    expect(await planned(setup, summary.planId)).toMatchObject({ headDiffers: true });
  });

  test('of a model that only vLLM knows counts what there is to count', async () => {
    const setup = await setUpJob();
    await putFile(setup.source, 'config.json', JSON.stringify({ architectures: ['GPT2LMHeadModel'] }));
    const { summary } = await setup.plan({ engine: 'auto' });
    const sizes = [...(await filesIn(setup.source)).values()].map(({ length }) => length);
    expect(summary).toMatchObject({
      engine: 'vllm',
      reason: expect.stringMatching(/^auto: The architecture GPT2LMHeadModel is none of those verified/) as string,
      parts: 0,
      checks: 0,
      totalBytes: sizes.reduce((sum, size) => sum + size, 0),
    });
    expect((await planned(setup, summary.planId))?.source.others).toHaveLength(3);
  });

  test('that is refused writes nothing', async () => {
    const setup = await setUpJob();
    expect(await lateRefusal(setup.plan({ args: { tensorParallelSize: 3 } }))).toMatchObject({
      code: 'UnsupportedSharding',
      reason: 'tensor-parallel-size',
    });
    expect(await setup.store.head(manifestKey('shards/'))).toBeUndefined();
    const keys: string[] = [];
    for await (const { key } of setup.store.list('shards/')) keys.push(key);
    expect(keys).toEqual([]);
  });
});

describe('room', () => {
  test('is asked for all of it, and for what is missing once some of it is written', async () => {
    const setup = await setUpJob();
    const asked: (number | undefined)[] = [];
    const change = { args: { maxFileSize: 100_000 }, store: asking(setup.store, asked) };
    const { summary, step } = await setup.plan(change);
    await shardNatively(setup.dependencies, { ...step, number: 1 }, { ...live(), onProgress: () => undefined });
    await setup.plan(change);
    const written = [...(await filesIn(setup.target)).values()].reduce((sum, { length }) => sum + length, 0);
    expect(written).toBeGreaterThan(0);
    expect(asked).toEqual([summary.totalBytes, summary.totalBytes - written]);
  });
});

describe('unfinished uploads', () => {
  test('of another plan are given up, and those of this one are kept', async () => {
    const memory = await startMemoryStore();
    onTestFinished(() => memory.close());
    const setup = await setUpJob('llama-untied', { stores: [memory] });
    const upload = () => memory.createUpload('shards/model-rank-1-part-0.safetensors', { size: 1, partSize: 1 });
    await upload();
    await setup.plan({ store: memory });
    expect(memory.uploads.size).toBe(0);
    await upload();
    await setup.plan({ store: memory });
    expect(memory.uploads.size).toBe(1);
    await setup.plan({ store: memory, args: { dtype: 'float16' } });
    expect(memory.uploads.size).toBe(0);
  });
});

describe('a Dir that is published where the plan would write', () => {
  test('is a hit where it is what the plan would write', async () => {
    const setup = await setUpJob();
    const { dir } = await setup.run();
    const before = await filesIn(setup.target);
    expect(await planShards(setup.dependencies, await setup.job(), live())).toEqual({ kind: 'hit', dir });
    expect(await filesIn(setup.target)).toEqual(before);
  });

  test('is no hit with a new force number', async () => {
    const setup = await setUpJob();
    await setup.run({ force: 1 });
    expect(await planShards(setup.dependencies, await setup.job({ force: 1 }), live())).toMatchObject({ kind: 'hit' });
    expect(await planShards(setup.dependencies, await setup.job({ force: 2 }), live())).toMatchObject({
      kind: 'shard',
    });
    // It stays while its files are replaced by equal ones.
    expect(await setup.store.head(manifestKey('shards/'))).toBeDefined();
  });

  test.each([
    ['lost a file', (path: string) => rm(path)],
    ['has a file that was replaced', (path: string) => writeFile(path, 'other')],
  ])('is withdrawn where it %s, whoever named the folder', async (_what, harm) => {
    for (const named of [true, false]) {
      const setup = await setUpJob();
      await setup.run();
      await harm(join(setup.target, 'model-rank-1-part-0.safetensors'));
      const job = named ? await setup.job() : await unnamed(setup);
      expect(await planShards(setup.dependencies, job, live())).toMatchObject({ kind: 'shard' });
      expect(await setup.store.head(manifestKey('shards/'))).toBeUndefined();
    }
  });
});
