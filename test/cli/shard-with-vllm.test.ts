import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { startDevHub } from '../../src/dev-hub/index.js';
import { contentOf, expectAsListed, shardsDigest } from '../helpers/dir-content.js';
import { formulaCommit, measuredDigest } from '../helpers/shard-repos.js';
import { storedFiles } from '../helpers/tmp.js';
import { fakeDriver } from '../shard/vllm/fake-driver.js';
import { checkpointFolder } from './checkpoint-folder.js';
import { runCli } from './cli-process.js';

/** The file of a user of Flyte's `flyte prefetch hf-model --shard-config`, as it is. */
const FLYTE = `engine: vllm
args:
  tensor_parallel_size: 2
  dtype: auto
  trust_remote_code: true
  max_model_len: null
  file_pattern: model-rank-{rank}-part-{part}.safetensors
  max_file_size: 5368709120
`;

const RANKS = ['--tensor-parallel-size', '2'];

describe("model-prefetch hf-model --shard-config with Flyte's file", () => {
  it('has vLLM shard the model as the file says, and prints the sharded Dir', async () => {
    const { env, flyte, made } = await site();
    const python = await standIn(made);
    const args = ['hf-model', 'org/llama', '--shard-config', flyte, '--output', 'json'];
    const run = await runCli(args, { ...env, MODEL_PREFETCH_PYTHON: python });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain('Engine vllm (engine vllm was asked for)');
    const dir = JSON.parse(run.stdout) as Dir;
    expect(dir).toMatchObject({
      repo: 'org/llama',
      format: 'vllm-sharded-state',
      sharding: { engine: 'vllm', tensorParallelSize: 2, dtype: 'bfloat16', vllmVersion: '0.32.0' },
    });
    const content = await contentOf(dir);
    expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
    expectAsListed(content);
    expect(await runCli(args, env)).toMatchObject({ code: 0, stdout: run.stdout });
  });

  it('ends as VllmUnavailable where no vLLM is, naming the variable, and keeps the model as the Hub has it', async () => {
    const { env, flyte } = await site();
    const run = await runCli(['hf-model', 'org/llama', '--shard-config', flyte], env);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(
      /^VllmUnavailable: \/absent\/python cannot be started \(ENOENT\)\. Set MODEL_PREFETCH_PYTHON to a Python/m
    );
    const manifests = (await storedFiles(env.MODEL_PREFETCH_HOME)).filter((path) => path.endsWith('manifest.json'));
    expect(manifests).toEqual([expect.stringMatching(/\/llama\/[0-9a-f]{40}\/\.prefetch\/manifest\.json$/)]);
  });
});

describe('model-prefetch shard with engine vllm', () => {
  it.each([
    ['that was asked for', 'vllm', '2', 'Engine vllm (engine vllm was asked for)'],
    [
      'that auto fell back to',
      'auto',
      '3',
      'Engine native does not shard this (tensorParallelSize 3 does not divide the 8 attention heads',
    ],
  ])(
    '%s ends as VllmUnavailable where no vLLM is, says why vLLM, and publishes nothing',
    async (_case, engine, ranks, why) => {
      const { model, to } = await checkpointFolder();
      const args = ['shard', model, '--to', to, '--engine', engine, '--tensor-parallel-size', ranks];
      const run = await runCli(args, { MODEL_PREFETCH_PYTHON: '/absent/python' });
      expect(run).toMatchObject({ code: 1, stdout: '' });
      expect(run.stderr).toContain(why);
      expect(run.stderr.trim().split('\n').at(-1)).toMatch(/^VllmUnavailable: .*Set MODEL_PREFETCH_PYTHON to a Python/);
      expect((await storedFiles(to)).filter((path) => path.endsWith('manifest.json'))).toEqual([]);
    }
  );

  it('goes on in the folder that an attempt without vLLM left, once there is one', async () => {
    const { made } = await site();
    const { model, to } = await checkpointFolder();
    const args = ['shard', model, '--to', to, '--engine', 'vllm', ...RANKS];
    await runCli(args, { MODEL_PREFETCH_PYTHON: '/absent/python' });
    const run = await runCli(args, { MODEL_PREFETCH_PYTHON: await standIn(made) });
    expect(run.code, run.stderr).toBe(0);
    const content = await contentOf(JSON.parse(run.stdout) as Dir);
    expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
    expectAsListed(content);
  });

  it('asks for vLLM of the minor version that the request names', async () => {
    const { model, to } = await checkpointFolder();
    const { driver } = await fakeDriver(
      `say({ event: 'error', kind: 'version', message: 'vLLM 0.20.0 is asked for, and 0.32.0 is installed' })`
    );
    const args = ['shard', model, '--to', to, '--engine', 'vllm', ...RANKS, '--vllm-version', '0.20.0'];
    const run = await runCli(args, { MODEL_PREFETCH_PYTHON: await interpreterOf(driver) });
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^VllmVersionMismatch: .*--vllm-version/m);
  });
});

interface Site {
  readonly env: Readonly<Record<'HF_ENDPOINT' | 'MODEL_PREFETCH_HOME' | 'MODEL_PREFETCH_PYTHON', string>>;
  /** The path of Flyte's file. */
  readonly flyte: string;
  /** A folder with the shards of the model, for the one who stands in for vLLM. */
  readonly made: string;
}

async function site(): Promise<Site> {
  const { folder, model, to: made } = await checkpointFolder();
  const shards = await runCli(['shard', model, '--to', made, '--engine', 'native', ...RANKS]);
  expect(shards.code, shards.stderr).toBe(0);
  const flyte = join(folder, 'shard.yaml');
  await writeFile(flyte, FLYTE);
  const hub = await startDevHub({ repos: [{ id: 'org/llama', commits: [await formulaCommit('llama-untied')] }] });
  onTestFinished(() => hub.close());
  const home = join(folder, 'home');
  return {
    env: { HF_ENDPOINT: hub.url, MODEL_PREFETCH_HOME: home, MODEL_PREFETCH_PYTHON: '/absent/python' },
    flyte,
    made,
  };
}

/** In the place of a Python with vLLM: one that has the shards already, and fails unless it is asked as Flyte's file says. */
async function standIn(made: string): Promise<string> {
  const { driver } = await fakeDriver(`
    import { copyFileSync, existsSync, rmSync } from 'node:fs';
    rmSync(request.output + '/driver-pid');
    const name = (rank) => request.file_pattern.replace('{rank}', rank).replace('{part}', 0);
    if (request.tensor_parallel_size !== 2 || request.max_file_size !== 5368709120) throw new Error('Not as asked');
    if (!existsSync(request.model + '/model.safetensors')) throw new Error('There is no model');
    for (const rank of [0, 1]) copyFileSync(${JSON.stringify(made)} + '/' + name(rank), request.output + '/' + name(rank));
    say({ ...done, vllm: request.vllm_version });
  `);
  return interpreterOf(driver);
}

/** A program that runs this driver, whatever driver it is given. */
async function interpreterOf(driver: string): Promise<string> {
  const program = `${driver}.sh`;
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${driver}'\n`);
  await chmod(program, 0o755);
  return program;
}
