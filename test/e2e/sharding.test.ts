import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import { prefetchWorkflowId } from '../../src/client.js';
import type { Dir, PrefetchInput } from '../../src/core/contract.js';
import { openStore } from '../../src/storage/index.js';
import { onBothStores } from '../helpers/both-stores.js';
import { contentOf, expectAsListed, expectValid, shardsDigest } from '../helpers/dir-content.js';
import { formulaModel } from '../helpers/formula-models.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { formulaCommit, measuredDigest } from '../helpers/shard-repos.js';
import { temporalCli } from '../helpers/temporal-cli.js';
import { useTemporalServer } from '../helpers/temporal.js';

const server = useTemporalServer();

onBothStores((store) => {
  let platform: Platform;

  beforeAll(async () => {
    platform = await startPlatform(server(), {
      settings: { store: store().root },
      repos: [
        { id: 'org/llama', commits: [await formulaCommit('llama-untied')] },
        { id: 'org/pinned', commits: [await formulaCommit('mistral')] },
        { id: 'org/forced', commits: [await formulaCommit('qwen2-untied')] },
        { id: 'org/chosen', commits: [await formulaCommit('qwen3-tied')] },
      ],
    });
  });

  afterAll(() => platform.stop());

  describe('a run with a shard config, started from the Temporal CLI', () => {
    let dir: Dir;

    beforeAll(async () => {
      dir = await fromTemporalCli(input('org/llama', 'native'));
    });

    test('gives the sharded Dir, whose files are those of vLLM, byte for byte', async () => {
      const commit = platform.hub.commitOf('org/llama', 'main');
      expect(dir).toMatchObject({
        repo: 'org/llama',
        commit,
        format: 'vllm-sharded-state',
        sharding: { engine: 'native', tensorParallelSize: 2, dtype: 'bfloat16', vllmVersion: NEWEST_VERIFIED_VLLM },
      });
      expect(dir.path).toMatch(new RegExp(`^${store().root}llama/${commit}\\.vllm-tp2-bfloat16-[0-9a-f]{8}/$`));
      const content = await contentOf(dir);
      expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
      expectAsListed(content);
    });

    test('puts beside the shards what vLLM needs of the model, and nothing else', async () => {
      const { digests } = await contentOf(dir);
      expect([...digests.keys()].sort()).toEqual([
        'README.md',
        'config.json',
        'model-rank-0-part-0.safetensors',
        'model-rank-1-part-0.safetensors',
        'tokenizer.json',
      ]);
    });

    test('leaves the unsharded Dir beside it, with a manifest of its own, and hits on it without shards', async () => {
      const before = cdnRequests();
      const unsharded = await platform.prefetch({ repo: 'org/llama' });
      expect(cdnRequests()).toBe(before);
      expect(unsharded).toMatchObject({ format: 'huggingface', path: dir.path.replace(/\.vllm-[^/]*/, '') });
      expect(unsharded.sharding).toBeUndefined();
      const content = await contentOf(unsharded);
      expectAsListed(content);
      expect(content.manifest.sharding).toBeUndefined();
      expect(content.digests.get('model.safetensors')).toBe((await formulaModel('llama-untied')).file_sha256);
    });

    test('says in the manifest how it was made, of what, and where it fits', async () => {
      const { manifest } = await contentOf(dir);
      expect(manifest).toMatchObject({ format: 'vllm-sharded-state', commit: dir.commit, repo: 'org/llama' });
      expect(manifest.sharding).toMatchObject({
        engine: 'native',
        reason: 'engine native was asked for',
        profile: 'dense-1',
        vllmVersion: NEWEST_VERIFIED_VLLM,
        vllmVersions: [
          { from: '0.14.0', to: NEWEST_VERIFIED_VLLM },
          { from: 'main-ae25628995', to: 'main-ae25628995' },
        ],
        tensorParallelSize: 2,
        dtype: 'bfloat16',
        request: { engine: 'native', args: { tensorParallelSize: 2 } },
        source: { path: dir.path.replace(/\.vllm-[^/]*/, ''), commit: dir.commit },
      });
      expect(manifest.sharding?.source.files).toEqual([
        expect.objectContaining({
          path: 'model.safetensors',
          sha256: (await formulaModel('llama-untied')).file_sha256,
        }),
      ]);
    });

    test('gives Dirs and manifests as the published schemas say, the sharded and the unsharded one', async () => {
      for (const each of [dir, await platform.prefetch({ repo: 'org/llama' })]) {
        await expectValid('dir.json', each);
        await expectValid('manifest.json', JSON.parse((await contentOf(each)).text('.prefetch/manifest.json')));
      }
    });
  });

  test('a pinned commit is served with the Hub down and the unsharded Dir deleted', async () => {
    const revision = platform.hub.commitOf('org/pinned', 'main');
    const pinned = { ...input('org/pinned', 'native'), revision };
    const dir = await platform.prefetch(pinned);
    const unsharded = await openStore(dir.path.replace(/\.vllm-[^/]*/, ''));
    const keys: string[] = [];
    for await (const { key } of unsharded.list('')) keys.push(key);
    expect(keys).toContain('model.safetensors');
    for (const key of keys) await unsharded.delete(key);
    await unsharded.close();
    const alone = await startPlatform(server(), {
      settings: { store: store().root, hubEndpoint: 'http://127.0.0.1:9' },
    });
    try {
      expect(await alone.prefetch(pinned)).toEqual(dir);
    } finally {
      await alone.stop();
    }
  });

  test('a new force number brings and writes everything anew, and is served from the store afterwards', async () => {
    const dir = await platform.prefetch(input('org/forced', 'native'));
    const shard = store().onDisk(dir, 'model-rank-1-part-0.safetensors');
    await flipBit(shard);
    const before = { written: (await stat(shard, { bigint: true })).mtimeNs, requests: cdnRequests() };
    const forced = await platform.prefetch({ ...input('org/forced', 'native'), force: 1 });
    expect(forced.path).toBe(dir.path);
    expect(cdnRequests()).toBeGreaterThan(before.requests);
    const content = await contentOf(forced);
    expect(content.manifest.force).toBe(1);
    expect(shardsDigest(content)).toBe(measuredDigest('qwen2-untied', { tp: 2 }));
    expectAsListed(content);
    const after = { written: (await stat(shard, { bigint: true })).mtimeNs, requests: cdnRequests() };
    expect(after.written).toBeGreaterThan(before.written);
    expect(await platform.prefetch({ ...input('org/forced', 'native'), force: 1 })).toEqual(forced);
    expect((await stat(shard, { bigint: true })).mtimeNs).toBe(after.written);
    expect(cdnRequests()).toBe(after.requests);
  });

  test('engine auto takes native for a verified model, and says why wherever people look', async () => {
    const chosen = input('org/chosen', 'auto');
    const dir = await fromTemporalCli(chosen);
    const workflowId = prefetchWorkflowId(chosen);
    const reason = 'auto: this layout is verified';
    const cli = temporalCli(server().address);
    const query = await cli.run([
      ...['workflow', 'query', '--workflow-id', workflowId, '--type', 'progress', '--output', 'json'],
    ]);
    expect(JSON.parse(query.stdout)).toMatchObject({
      queryResult: [
        { phase: 'done', sharding: { engine: 'native', reason, tensorParallelSize: 2, dtype: 'bfloat16' } },
      ],
    });
    const metadata = await cli.run(['workflow', 'metadata', '--workflow-id', workflowId, '--output', 'json']);
    expect(metadata.stdout).toContain('engine native');
    expect(metadata.stdout).toContain(reason);
    const content = await contentOf(dir);
    expect(content.manifest.sharding).toMatchObject({ engine: 'native', reason });
    expect(shardsDigest(content)).toBe(measuredDigest('qwen3-tied', { tp: 2 }));
    const before = cdnRequests();
    expect(await platform.prefetch(input('org/chosen', 'native'))).toEqual(dir);
    expect(cdnRequests()).toBe(before);
  });

  function cdnRequests(): number {
    return platform.hub.requests.filter(({ origin }) => origin === 'cdn').length;
  }

  async function fromTemporalCli(request: PrefetchInput): Promise<Dir> {
    const cli = temporalCli(server().address);
    const workflowId = prefetchWorkflowId(request);
    await cli.start({ workflowId, taskQueue: platform.settings.taskQueue, input: JSON.stringify(request) });
    return cli.result(workflowId);
  }
});

function input(repo: string, engine: 'native' | 'auto'): PrefetchInput {
  return { repo, shardConfig: { engine, args: { tensorParallelSize: 2 } } };
}

/** One bit of the last byte, as a bad disk does it. */
async function flipBit(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  await writeFile(file, bytes);
}
