import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dir, PrefetchInput } from '../../src/core/contract.js';
import { onBothStores } from '../helpers/both-stores.js';
import { contentOf, expectAsListed, shardsDigest } from '../helpers/dir-content.js';
import { formulaModel } from '../helpers/formula-models.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { formulaCommit, measuredDigest } from '../helpers/shard-repos.js';
import { useTemporalServer } from '../helpers/temporal.js';

type ShardArgs = NonNullable<PrefetchInput['shardConfig']>['args'];

const server = useTemporalServer();

onBothStores((store) => {
  let platform: Platform;

  beforeAll(async () => {
    platform = await startPlatform(server(), {
      settings: { store: store().root },
      repos: [
        { id: 'org/split', commits: [await formulaCommit('mixtral', { split: 3 })] },
        { id: 'org/head', commits: [await formulaCommit('llama-tied-head-different')] },
        { id: 'org/same-head', commits: [await formulaCommit('llama-tied-head-equal')] },
        { id: 'org/wide', commits: [await formulaCommit('llama-fp32')] },
        { id: 'org/ensured', commits: [await formulaCommit('phi3')] },
        {
          id: 'org/unknown',
          commits: [await formulaCommit('phi3', { config: { architectures: ['FalconForCausalLM'] } })],
        },
        {
          id: 'org/moving',
          commits: [await formulaCommit('llama-untied'), await formulaCommit('llama-mha')],
          branches: { main: 0 },
        },
      ],
    });
  });

  afterAll(() => platform.stop());

  test('several weights files with an index give the same shards, without an index', async () => {
    const dir = await shard('org/split');
    const content = await contentOf(dir);
    expect(shardsDigest(content)).toBe(measuredDigest('mixtral', { tp: 2 }));
    expectAsListed(content);
    expect([...content.digests.keys()]).not.toContain('model.safetensors.index.json');
    const sources = content.manifest.sharding?.source.files ?? [];
    expect(sources.map(({ path }) => path)).toEqual(
      [1, 2, 3].map((number) => `model-0000${String(number)}-of-00003.safetensors`)
    );
    for (const { sha256 } of sources) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('a small maxFileSize gives many parts, which are those of vLLM', async () => {
    const dir = await shard('org/split', { tensorParallelSize: 2, maxFileSize: 40_000 });
    const content = await contentOf(dir);
    expect(shardsDigest(content)).toBe(measuredDigest('mixtral', { tp: 2, maxSize: 40_000 }));
    expectAsListed(content);
    expect(dir.fileCount).toBeGreaterThan(20);
  });

  test('an output head that differs from the embedding is kept, and config.json says that they are not tied', async () => {
    const content = await contentOf(await shard('org/head'));
    expect(shardsDigest(content)).toBe(measuredDigest('llama-tied-head-different', { tp: 2 }));
    expectAsListed(content);
    expect(content.manifest.sharding?.untied).toBe(true);
    const { config } = await formulaModel('llama-tied-head-different');
    expect(config['tie_word_embeddings']).toBe(true);
    expect(JSON.parse(content.text('config.json'))).toEqual({ ...config, tie_word_embeddings: false });
  });

  test('an output head that equals the embedding leaves config.json as it is', async () => {
    const content = await contentOf(await shard('org/same-head'));
    expect(shardsDigest(content)).toBe(measuredDigest('llama-tied-head-equal', { tp: 2 }));
    expect(content.manifest.sharding?.untied).toBeUndefined();
    expect(JSON.parse(content.text('config.json'))).toMatchObject({ tie_word_embeddings: true });
  });

  test('a float32 checkpoint is cast, and its digest is that of the Hub all the same', async () => {
    const dir = await shard('org/wide', { tensorParallelSize: 2, dtype: 'float16' });
    expect(dir.sharding).toMatchObject({ dtype: 'float16' });
    const content = await contentOf(dir);
    expect(shardsDigest(content)).toBe(measuredDigest('llama-fp32', { tp: 2, dtype: 'float16' }));
    const [source] = content.manifest.sharding?.source.files ?? [];
    expect(source?.sha256).toBe((await formulaModel('llama-fp32')).file_sha256);
  });

  test('a branch that moves is noticed, and each commit has shards of its own', async () => {
    const old = await shard('org/moving');
    platform.hub.moveBranch('org/moving', 'main', 1);
    const fresh = await shard('org/moving');
    expect(fresh.commit).toBe(platform.hub.commitOf('org/moving', 'main'));
    expect(fresh.commit).not.toBe(old.commit);
    expect(shardsDigest(await contentOf(fresh))).toBe(measuredDigest('llama-mha', { tp: 2 }));
    expect(shardsDigest(await contentOf(old))).toBe(measuredDigest('llama-untied', { tp: 2 }));
    expect(await shard('org/moving', { tensorParallelSize: 2 }, old.commit)).toEqual({ ...old, revision: old.commit });
  });

  describe('ensureModel with a shard config', () => {
    test('gives a workflow of somebody else the sharded Dir', async () => {
      const dir = await ensured('org/ensured');
      expect(dir).toMatchObject({ repo: 'org/ensured', format: 'vllm-sharded-state' });
      expect(shardsDigest(await contentOf(dir))).toBe(measuredDigest('phi3', { tp: 2 }));
      expect(await shard('org/ensured')).toEqual(dir);
    });

    test('fails by UnsupportedSharding, for good', async () => {
      const error = await ensured('org/unknown').catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(WorkflowFailedError);
      expect(error).toMatchObject({ cause: { cause: { type: 'UnsupportedSharding', nonRetryable: true } } });
    });
  });

  async function shard(repo: string, args: ShardArgs = { tensorParallelSize: 2 }, revision?: string): Promise<Dir> {
    const pinned = revision === undefined ? {} : { revision };
    return platform.prefetch({ repo, ...pinned, shardConfig: { engine: 'native', args } });
  }

  async function ensured(repo: string): Promise<Dir> {
    const taskQueue = `ensured-${String(process.hrtime.bigint())}`;
    const worker = await Worker.create({
      connection: server().nativeConnection,
      taskQueue,
      workflowsPath: fileURLToPath(new URL('./fixtures/own-queue-workflows.ts', import.meta.url)),
    });
    return worker.runUntil(() =>
      server().client.workflow.execute('waitForShards', {
        taskQueue,
        workflowId: taskQueue,
        args: [repo, platform.settings.taskQueue],
      })
    ) as Promise<Dir>;
  }
});
