import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDevHub, type DevHub } from '../../src/dev-hub/index.js';
import type { DryRun } from '../../src/steps/dry-run.js';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';
import { runCli } from './cli-process.js';

let hub: DevHub;
let folder: string;

const text = (value: string) => ({ bytes: new TextEncoder().encode(value) });
const config = text(JSON.stringify({ architectures: ['FalconForCausalLM'] }));

beforeAll(async () => {
  folder = await createTmpFolder();
  const weights = { 'model.safetensors': { size: 9_000, seed: 'hf' } };
  const others = { 'pytorch_model.bin': { size: 9_000, seed: 'bin' }, 'logo.png': text('png') };
  const mistral = { 'consolidated.safetensors': { size: 9_000, seed: 'mistral' }, 'params.json': text('{}') };
  hub = await startDevHub({
    repos: [
      { id: 'org/both', commits: [{ files: { 'config.json': config, ...weights, ...mistral, ...others } }] },
      { id: 'org/hf', commits: [{ files: { 'config.json': config, ...weights } }] },
    ],
  });
});

afterAll(async () => {
  await hub.close();
  await removeFolder(folder);
});

const plan = (...args: string[]) =>
  runCli(['plan', ...args], { HF_ENDPOINT: hub.url, MODEL_PREFETCH_HOME: join(folder, 'home') });

describe('model-prefetch plan REPO --selection vllm', () => {
  test('tells which weights are taken and why, and what is left out', async () => {
    const { stdout } = await plan('org/both', '--selection', 'vllm');
    expect(stdout).toMatch(/^Weights +safetensors \(.*weights "mistral" chooses\)$/m);
    expect(stdout).toMatch(
      /^Left out +weights in another format: 2, .*\(consolidated\.safetensors, pytorch_model\.bin\)$/m
    );
    expect(stdout).toMatch(/^Left out +pictures, .*: 1, .*\(logo\.png\)$/m);
    expect((await plan('org/both')).stdout).not.toMatch(/Weights|Left out/);
  });

  test('tells the same to programs, with --weights and with shards', async () => {
    const mistral = await plan('org/both', '--selection', 'vllm', '--weights', 'mistral', '--output', 'json');
    const { selection, files } = JSON.parse(mistral.stdout) as DryRun;
    expect(selection).toMatchObject({ weights: 'consolidated', reason: 'weights "mistral" was asked for' });
    expect(files.map(({ path }) => path)).toEqual(['config.json', 'consolidated.safetensors', 'params.json']);
    const shards = join(folder, 'shards.yaml');
    await writeFile(shards, 'engine: vllm\nargs:\n  tensor_parallel_size: 2\n');
    const sharded = await plan('org/both', '--selection', 'vllm', '--shard-config', shards, '--output', 'json');
    expect((JSON.parse(sharded.stdout) as DryRun).selection).toMatchObject({ weights: 'safetensors' });
    const refused = await plan('org/both', '--selection', 'vllm', '--weights', 'mistral', '--shard-config', shards);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(
      /InvalidInput: .*weights: .*shards are made of weights in the layout of Hugging Face/
    );
  });

  test('fails where the layout that was asked for is not there', async () => {
    const { code, stderr } = await plan('org/hf', '--selection', 'vllm', '--weights', 'mistral');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^NothingSelected: No consolidated\*\.safetensors .*weights "mistral" asks for/m);
  });
});
