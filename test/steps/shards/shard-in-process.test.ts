import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { shardInProcess, shardUntilPublished, type ShardMoment } from '../../../src/steps/shards/shard-in-process.js';
import { manifestKey } from '../../../src/core/keys.js';
import { contentOf, sha256, shardsDigest } from '../../helpers/dir-content.js';
import { startMemoryStore, type MemoryStore } from '../../helpers/memory-store.js';
import { measuredDigest } from '../../helpers/shard-repos.js';
import { runDigest } from '../../helpers/shard-setup.js';
import { createEngine } from '../../../src/transfer/engine.js';
import { failure, live, quickPolicies } from '../../helpers/transfer-setup.js';
import { filesIn, setUpJob, type JobChange, type JobSetup } from './setup.js';
import { atCall } from './watched-store.js';

const change = { args: { maxFileSize: 100_000 } };

async function momentsOf(setup: JobSetup, job: JobChange): Promise<ShardMoment[]> {
  const moments: ShardMoment[] = [];
  const onMoment = (moment: ShardMoment) => moments.push(moment);
  await shardInProcess(setup.dependencies, await setup.job(job), { ...live(), onMoment });
  return moments;
}

async function aborted({ signal }: AbortController): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

describe('a run', () => {
  test('tells each phase with its bytes, which only grow, up to all of them', async () => {
    const setup = await setUpJob();
    const { summary } = await setup.plan(change);
    const moments = await momentsOf(setup, change);
    const phases = moments.map(({ phase }) => phase).filter((phase, index, all) => phase !== all[index - 1]);
    expect(phases).toEqual(['plan', 'shard', 'check', 'publish']);
    const bytesIn = (phase: ShardMoment['phase']) =>
      moments.filter((moment) => moment.phase === phase).map(({ bytesDone }) => bytesDone);
    for (const phase of ['shard', 'check'] as const) {
      expect(bytesIn(phase)).toEqual([...bytesIn(phase)].sort((a, b) => a - b));
    }
    const source = (await filesIn(setup.source)).get('model.safetensors')?.length;
    expect([bytesIn('shard').at(-1), bytesIn('check').at(-1)]).toEqual([summary.totalBytes, source]);
    expect(moments.find(({ phase }) => phase === 'shard')?.current).toMatch(/^part [12] of 3 of 2 ranks$/);
  });

  test('of what is published is a hit after its plan', async () => {
    const setup = await setUpJob();
    const first = await setup.run(change);
    expect(await momentsOf(setup, change)).toEqual([{ phase: 'plan', bytesDone: 0 }]);
    expect(await setup.run(change)).toEqual({ dir: first.dir, hit: true });
  });

  test('ends at its first failure, with all that is under way beside it, and publishes nothing', async () => {
    const setup = await setUpJob();
    const died = new Error('died');
    const [nextBegins, failureSpreads] = [new AbortController(), new AbortController()];
    // Either of two parts may be the first one to be written.
    let first: string | undefined;
    setup.moments.before = async (call) => {
      const [, kind, part] = /^(part|complete) .*-part-(\d)\.safetensors$/.exec(call) ?? [];
      if (kind === 'part') first ??= part;
      if (kind === 'part' && part !== first) {
        nextBegins.abort();
        await aborted(failureSpreads);
      }
      if (kind !== 'complete') return;
      await aborted(nextBegins);
      setImmediate(() => {
        failureSpreads.abort();
      });
      throw died;
    };
    expect(await failure(setup.run(change))).toBe(died);
    const completed = setup.moments.calls.filter((call) => call.startsWith('complete '));
    expect(completed.filter((call) => !call.endsWith(`-part-${first}.safetensors`))).toEqual([]);
    expect(setup.dependencies.engine.memory.inUseBytes).toBe(0);
    expect(await setup.store.head(manifestKey('shards/'))).toBeUndefined();
    delete setup.moments.before;
    expect((await setup.run(change)).hit).toBe(false);
  });
});

test('two runs of one sharding at once both end well, in one Dir', async () => {
  const setup = await setUpJob();
  // As in a process of its own each: one engine shards one part at a time.
  const runs = [0, 1].map(async () => {
    const engine = createEngine({ partSizeBytes: 16_384, lanes: 4, memoryBytes: 400_000, policies: quickPolicies });
    return shardUntilPublished({ ...setup.dependencies, engine }, await setup.job(), {
      ...live(),
      onMoment: () => undefined,
    });
  });
  const paths = (await Promise.all(runs)).map(({ dir }) => dir.path);
  expect(new Set(paths).size).toBe(1);
  const shards = [...(await filesIn(setup.target))].filter(([path]) => path.endsWith('.safetensors'));
  const digests = shards.map(([path, bytes]) => ({ path, sha256: sha256(bytes) }));
  expect(runDigest(digests)).toBe(measuredDigest('llama-untied', { tp: 2 }));
  expect(await setup.run()).toMatchObject({ hit: true });
});

test('an upload that another run removed under it, as each does when it has published, is begun anew', async () => {
  const setup = await setUpJob();
  const key = 'shards/model-rank-1-part-0.safetensors';
  setup.moments.before = atCall(/^part .*-rank-1-/, async () => {
    for (const upload of await setup.store.findUploads(key)) await setup.store.abortUpload(upload);
  });
  const job = await setup.job();
  await shardUntilPublished(setup.dependencies, job, { ...live(), onMoment: () => undefined });
  expect(shardsDigest(await contentOf({ path: `${setup.store.root}shards/` }))).toBe(
    measuredDigest('llama-untied', { tp: 2 })
  );
});

describe('a store without upload parts', () => {
  const shardsIn = ({ objects }: MemoryStore) => {
    const shards = [...objects].filter(([key]) => key.endsWith('.safetensors'));
    return shards.map(([key, bytes]) => ({ path: key.replace('shards/', ''), sha256: sha256(bytes) }));
  };

  async function setUpMemory() {
    const memory = await startMemoryStore({ multipart: false });
    onTestFinished(() => memory.close());
    return { memory, setup: await setUpJob('llama-untied', { stores: [memory] }) };
  }

  test('gets the same shards by way of the disk, where nothing stays', async () => {
    const { memory, setup } = await setUpMemory();
    await setup.run({ store: memory });
    expect(runDigest(shardsIn(memory))).toBe(measuredDigest('llama-untied', { tp: 2 }));
    expect(await readdir(setup.dependencies.scratchFolder)).toEqual([]);
    expect((await setup.run({ store: memory })).hit).toBe(true);
  });

  test('gets them after a run that was given up, of which nothing stays on the disk either', async () => {
    const { memory, setup } = await setUpMemory();
    const controller = new AbortController();
    memory.faults.intercept = (_request, response, name) => {
      if (name !== 'PUT shards/model-rank-1-part-0.safetensors') return false;
      controller.abort();
      response.destroy();
      return true;
    };
    await failure(setup.run({ store: memory, signal: controller.signal }));
    expect(await readdir(setup.dependencies.scratchFolder)).toEqual([]);
    expect(memory.objects.has(manifestKey('shards/'))).toBe(false);
    delete memory.faults.intercept;
    await setup.run({ store: memory });
    expect(runDigest(shardsIn(memory))).toBe(measuredDigest('llama-untied', { tp: 2 }));
  });
});
