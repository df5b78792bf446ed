import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import type { Dir } from '../../src/core/contract.js';
import { publishAsDir } from '../steps/shards/setup.js';
import { contentOf, expectAsListed, expectValid, shardsDigest } from '../helpers/dir-content.js';
import { measuredDigest } from '../helpers/shard-repos.js';
import { storedFiles } from '../helpers/tmp.js';
import { checkpointFolder } from './checkpoint-folder.js';
import { runCli } from './cli-process.js';

const RANKS = ['--tensor-parallel-size', '2'];

describe('model-prefetch shard DIR --to URL', () => {
  it('shards a folder, prints the Dir as JSON and nothing else, and leaves the folder as it was', async () => {
    const { model, to } = await checkpointFolder();
    const before = await storedFiles(model);
    const { code, stdout, stderr } = await runCli(['shard', model, '--to', to, ...RANKS]);
    expect(code, stderr).toBe(0);
    const dir = JSON.parse(stdout) as Dir;
    await expectValid('dir.json', dir);
    expect(dir).toMatchObject({ path: `${pathToFileURL(to).href}/`, repo: 'model', revision: 'local', fileCount: 4 });
    const content = await contentOf(dir);
    expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
    expectAsListed(content);
    expect(stderr).toContain('Engine native (auto: this layout is verified)');
    expect(await storedFiles(model)).toEqual(before);
  });

  it('takes a published Dir by its URL, names it by its repo and commit, and prints a URL when asked to', async () => {
    const { folder, model, to } = await checkpointFolder();
    await publishAsDir(model);
    const env = { MODEL_PREFETCH_HOME: join(folder, 'home'), TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const args = ['shard', pathToFileURL(model).href, '--to', pathToFileURL(to).href, ...RANKS];
    const run = await runCli([...args, '--output', 'text'], env);
    expect(run).toMatchObject({ code: 0, stdout: `${pathToFileURL(to).href}/\n` });
    const { manifest } = await contentOf({ path: run.stdout.trim() });
    expect(manifest).toMatchObject({ repo: 'org/model', commit: 'c'.repeat(40), format: 'vllm-sharded-state' });
    // Neither a home nor a server is part of it.
    expect(await storedFiles(env.MODEL_PREFETCH_HOME)).toEqual([]);
  });

  it('finds its result the second time, and writes it anew for a force number', async () => {
    const { model, to } = await checkpointFolder();
    const args = ['shard', model, '--to', to, ...RANKS];
    const first = await runCli(args);
    const again = await runCli(args);
    expect(again).toMatchObject({ code: 0, stdout: first.stdout });
    expect(again.stderr).toContain('Published before: nothing to shard');
    const forced = await runCli([...args, '--force', '1']);
    expect(forced.code, forced.stderr).toBe(0);
    expect(forced.stderr).not.toContain('Published before');
    expect((await contentOf(JSON.parse(forced.stdout) as Dir)).manifest.force).toBe(1);
  });

  it('may be run twice at once: both end well, in one Dir', async () => {
    const { model, to } = await checkpointFolder();
    const args = ['shard', model, '--to', to, ...RANKS];
    const runs = await Promise.all([runCli(args), runCli(args)]);
    const paths = runs.map(({ code, stdout, stderr }) => {
      expect(code, stderr).toBe(0);
      return (JSON.parse(stdout) as Dir).path;
    });
    expect(paths).toEqual([paths[0], paths[0]]);
    const content = await contentOf({ path: paths[0] ?? '' });
    expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
    expectAsListed(content);
  });

  it.each([
    ['40000', 40_000],
    ['0.04MB', 40_000],
    ['5GiB', null],
  ])('takes %s as --max-file-size', async (size, maxSize) => {
    const { model, to } = await checkpointFolder('mixtral');
    const run = await runCli(['shard', model, '--to', to, ...RANKS, '--max-file-size', size]);
    expect(run.code, run.stderr).toBe(0);
    const content = await contentOf(JSON.parse(run.stdout) as Dir);
    expect(shardsDigest(content)).toBe(measuredDigest('mixtral', { tp: 2, maxSize }));
  });
});

describe('model-prefetch shard plan DIR', () => {
  it('prints the files that shard would write, with what decides them, and writes nothing', async () => {
    const { folder, model } = await checkpointFolder();
    const before = await storedFiles(folder);
    const run = await runCli(['shard', 'plan', model, ...RANKS]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toMatch(/^Engine +native \(auto: this layout is verified\)$/m);
    expect(run.stdout).toMatch(/^Layout +dense-1, of vLLM 0\.14\.0 to 0\.32\.0, main-ae25628995$/m);
    expect(run.stdout).toMatch(/^Reads +388\.8 KiB in 1 weights file$/m);
    expect(run.stdout).toMatch(/^Writes +397\.7 KiB in 2 files$/m);
    expect(run.stdout).toContain('  model-rank-0-part-0.safetensors … model-rank-1-part-0.safetensors  198.9 KiB each');
    expect(await storedFiles(folder)).toEqual(before);
  });

  it('prints every tensor as JSON, and sizes that shard then keeps to', async () => {
    const { model, to } = await checkpointFolder();
    const flags = [...RANKS, '--max-file-size', '40000', '--file-pattern', 'r{rank}-p{part}.safetensors'];
    const plan = JSON.parse((await runCli(['shard', 'plan', model, ...flags, '--output', 'json'])).stdout) as Planned;
    expect(plan).toMatchObject({
      engine: 'native',
      tensorParallelSize: 2,
      dtype: 'bfloat16',
      vllmVersion: NEWEST_VERIFIED_VLLM,
    });
    const run = await runCli(['shard', model, '--to', to, ...flags]);
    const { manifest } = await contentOf(JSON.parse(run.stdout) as Dir);
    const planned = plan.parts.flatMap(({ files, size }) => files.map((path) => [path, size]));
    const written = manifest.files.filter(({ path }) => path.endsWith('.safetensors'));
    expect(planned.sort()).toEqual(written.map(({ path, size }) => [path, size]).sort());
    const [first] = plan.parts.flatMap(({ tensors }) => tensors);
    expect(first).toEqual({
      name: 'model.embed_tokens.weight',
      dtype: 'BF16',
      shape: [512, 64],
      begin: 96,
      end: 65_632,
    });
  });

  it('tells that a model goes to vLLM, and why', async () => {
    const { model } = await checkpointFolder('llama-untied', { architectures: ['FalconForCausalLM'] });
    const run = await runCli(['shard', 'plan', model, ...RANKS]);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/^Engine +vllm \(auto: The architecture FalconForCausalLM is none of those verified/m);
    expect(run.stdout).not.toContain('Files');
  });
});

interface Planned {
  readonly parts: readonly {
    readonly files: readonly string[];
    readonly size: number;
    readonly tensors: readonly object[];
  }[];
}
