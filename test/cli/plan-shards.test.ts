import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { startDevHub, type DevHub } from '../../src/dev-hub/index.js';
import { formulaModel } from '../helpers/formula-models.js';
import { formulaCommit, withoutFiles } from '../helpers/shard-repos.js';
import { tmpFolder } from '../helpers/tmp.js';
import { runCli } from './cli-process.js';

describe('model-prefetch plan REPO --shard-config FILE', () => {
  it('tells the engine and why, before anything is there and without a byte of weights', async () => {
    const { hub, env, shardConfig } = await site();
    const plan = await planOf(env, 'org/llama', await shardConfig('auto'));
    expect(plan).toMatchObject({ verifiedBytes: 0, fetchBytes: expect.any(Number) as number });
    expect(plan.published).toBeUndefined();
    expect(plan.sharding).toEqual({
      engine: 'native',
      reason: expect.stringMatching(/^auto: config\.json and the list of files .*; the headers/) as string,
      tensorParallelSize: 2,
      published: false,
    });
    expect(plan.sharding?.reason).not.toContain('verified');
    expect(hub.requests.filter(({ origin }) => origin === 'cdn')).toEqual([]);
    await expect(readdir(env.MODEL_PREFETCH_HOME)).rejects.toThrow('ENOENT');
  });

  it('knows the sharded Dir by its name once the model is there, and that nothing is left to do once that is', async () => {
    const { env, shardConfig } = await site();
    const config = await shardConfig('native');
    await runCli(['hf-model', 'org/llama'], env);
    const between = await planOf(env, 'org/llama', config);
    expect(between).toMatchObject({ fetchBytes: 0, sharding: { engine: 'native', published: false } });
    expect(between.published).toBeUndefined();

    const { stdout } = await runCli(['hf-model', 'org/llama', '--shard-config', config, '--output', 'json'], env);
    const dir = JSON.parse(stdout) as Dir;
    expect(between.sharding?.dirPath).toBe(dir.path);
    await rm(fileURLToPath(dir.path.replace(/\.vllm-[^/]*/, '')), { recursive: true });
    const after = await planOf(env, 'org/llama', config);
    expect(after).toMatchObject({ dirPath: dir.path, published: dir, fetchBytes: 0, totalBytes: dir.totalBytes });
    expect(after.sharding).toMatchObject({ engine: 'native', reason: 'engine native was asked for', published: true });
    const text = await runCli(['plan', 'org/llama', '--shard-config', config], env);
    expect(text.stdout).toMatch(
      /^Shards +tensor parallel 2, engine native \(engine native was asked for\), published$/m
    );
    expect(text.stdout).toMatch(/^Published +yes: nothing to do$/m);
  });

  it('finds what another request with the same result published', async () => {
    const { env, shardConfig } = await site();
    const { stdout } = await runCli(['hf-model', 'org/llama', '--shard-config', await shardConfig('native')], env);
    const plan = await planOf(env, 'org/llama', await shardConfig('auto'));
    expect(plan).toMatchObject({ dirPath: stdout.trim(), sharding: { published: true } });
  });

  it('tells that a model goes to vLLM, and why', async () => {
    const { env, shardConfig } = await site();
    const config = await shardConfig('auto');
    const plan = await planOf(env, 'org/unknown', config);
    expect(plan.sharding).toMatchObject({ engine: 'vllm', published: false });
    expect(plan.sharding?.reason).toMatch(/^auto: The architecture FalconForCausalLM is none of those verified/);
    const text = await runCli(['plan', 'org/unknown', '--shard-config', config], env);
    expect(text.stdout).toMatch(/^Shards +tensor parallel 2, engine vllm \(auto: .*\), not published$/m);
    expect(text.stdout).toMatch(/^Published +no$/m);
  });

  it.each(['auto', 'native', 'vllm'])(
    'fails for a checkpoint that lacks a file of its index, with %s',
    async (engine) => {
      const { hub, env, shardConfig } = await site();
      const run = await runCli(['plan', 'org/incomplete', '--shard-config', await shardConfig(engine)], env);
      expect(run).toMatchObject({ code: 1, stdout: '' });
      expect(run.stderr).toMatch(/^IncompleteCheckpoint: .*not there: model-00002-of-00003\.safetensors/m);
      expect(hub.requests.filter(({ origin }) => origin === 'cdn')).toEqual([]);
    }
  );

  it.each([
    ['an architecture that nobody verified', 'org/unknown', 'FalconForCausalLM'],
    ['a repo without a config', 'org/bare', 'There is no config.json'],
    ['weights in another format', 'org/bin', 'no weights in the format safetensors'],
  ])('fails for engine native as the prefetch would: %s', async (_case, repo, reason) => {
    const { hub, env, shardConfig } = await site();
    for (const command of ['plan', 'hf-model']) {
      const run = await runCli([command, repo, '--shard-config', await shardConfig('native')], env);
      expect(run).toMatchObject({ code: 1, stdout: '' });
      expect(run.stderr).toMatch(/^UnsupportedSharding: /m);
      expect(run.stderr).toContain(reason);
    }
    expect(hub.requests.filter(({ origin }) => origin === 'cdn')).toEqual([]);
  });
});

interface Planned {
  readonly published?: unknown;
  readonly sharding?: { readonly dirPath?: string; readonly reason: string };
}

async function planOf(env: Readonly<Record<string, string>>, repo: string, config: string): Promise<Planned> {
  const run = await runCli(['plan', repo, '--shard-config', config, '--output', 'json'], env);
  expect(run.code, run.stderr).toBe(0);
  return JSON.parse(run.stdout) as Planned;
}

interface Site {
  readonly hub: DevHub;
  readonly env: Readonly<Record<'HF_ENDPOINT' | 'MODEL_PREFETCH_HOME', string>>;
  /** Writes a shard config for two ranks. */
  readonly shardConfig: (engine: string) => Promise<string>;
}

async function site(): Promise<Site> {
  const folder = await tmpFolder();
  const llama = await formulaCommit('llama-untied');
  const unknown = await formulaCommit('mistral', { config: { architectures: ['FalconForCausalLM'] } });
  const incomplete = withoutFiles(await formulaCommit('mixtral', { split: 3 }), 'model-00002-of-00003.safetensors');
  const bytes = new TextEncoder().encode(JSON.stringify((await formulaModel('llama-untied')).config));
  const hub = await startDevHub({
    repos: [
      { id: 'org/llama', commits: [llama] },
      { id: 'org/incomplete', commits: [incomplete] },
      { id: 'org/unknown', commits: [unknown] },
      { id: 'org/bare', commits: [{ files: { 'model.safetensors': { size: 90_000, seed: 'bare' } } }] },
      {
        id: 'org/bin',
        commits: [{ files: { 'config.json': { bytes }, 'pytorch_model.bin': { size: 90_000, seed: 'bin' } } }],
      },
    ],
  });
  onTestFinished(() => hub.close());
  return {
    hub,
    env: { HF_ENDPOINT: hub.url, MODEL_PREFETCH_HOME: join(folder, 'home') },
    shardConfig: async (engine) => {
      const file = join(folder, `${engine}.yaml`);
      await writeFile(file, `engine: ${engine}\nargs:\n  tensor_parallel_size: 2\n`);
      return file;
    },
  };
}
