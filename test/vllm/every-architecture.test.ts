import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runVllmJob } from '../../src/shard/vllm/run-job.js';
import { live } from '../helpers/transfer-setup.js';
import { createTmpFolder, removeFolder, tmpFolder } from '../helpers/tmp.js';
import { makeCheckpoints, type CheckpointName } from './checkpoints.js';
import { completeShards, openFolder, prepareDir } from './setup.js';
import { describeWithVllmInFull, runScript, VLLM_ON_CPU } from './vllm-python.js';

interface Case {
  readonly name: CheckpointName;
  readonly ranks: number;
  /** Bytes of a part; small, so that there are several. */
  readonly maxFileSize: number;
  readonly dtype: string;
}

const big = 2 ** 30;
const cases: readonly Case[] = [
  { name: 'llama', ranks: 1, maxFileSize: big, dtype: 'auto' },
  { name: 'llama', ranks: 4, maxFileSize: 40_000, dtype: 'auto' },
  { name: 'llama-tied', ranks: 2, maxFileSize: 40_000, dtype: 'auto' },
  { name: 'llama-fp32', ranks: 2, maxFileSize: 40_000, dtype: 'auto' },
  { name: 'llama-fp32', ranks: 2, maxFileSize: big, dtype: 'float16' },
  { name: 'qwen2', ranks: 2, maxFileSize: 40_000, dtype: 'auto' },
  { name: 'qwen3', ranks: 4, maxFileSize: 40_000, dtype: 'auto' },
  { name: 'mixtral', ranks: 2, maxFileSize: 100_000, dtype: 'auto' },
  { name: 'qwen2-moe', ranks: 2, maxFileSize: 100_000, dtype: 'auto' },
  { name: 'qwen3-moe', ranks: 2, maxFileSize: 100_000, dtype: 'auto' },
  { name: 'gemma', ranks: 2, maxFileSize: big, dtype: 'auto' },
  { name: 'gemma2', ranks: 2, maxFileSize: big, dtype: 'auto' },
  { name: 'gemma3', ranks: 2, maxFileSize: big, dtype: 'auto' },
  { name: 'phi3', ranks: 2, maxFileSize: big, dtype: 'auto' },
];

describeWithVllmInFull('without a GPU, every architecture is sharded into the bytes that vLLM saves and loads', () => {
  let folder = '';
  let checkpoints: Readonly<Record<string, string>> = {};

  beforeAll(async () => {
    folder = await createTmpFolder();
    checkpoints = await makeCheckpoints(folder, [...new Set(cases.map(({ name }) => name))]);
  }, 300_000);
  afterAll(() => removeFolder(folder));

  test.each(cases)(
    '$name for $ranks ranks in parts of $maxFileSize bytes, dtype $dtype',
    { timeout: 300_000 },
    async ({ name, ranks, maxFileSize, dtype }) => {
      const root = await tmpFolder();
      const scratchFolder = join(root, 'scratch');
      const store = await openFolder(root);
      const args = { tensorParallelSize: ranks, maxFileSize, dtype };
      const { request, dependencies } = await prepareDir(checkpoints[name] ?? '', { store, scratchFolder, args });

      const result = await runVllmJob(request, dependencies, live());

      expect(result).toMatchObject({ vllmVersion: VLLM_ON_CPU, device: 'cpu', untied: false });
      expect(result.dtype).toBe(dtype === 'auto' ? 'bfloat16' : dtype);
      const parts = new Set(result.files.map(({ path }) => /part-(\d+)/.exec(path)?.[1]));
      expect(result.files).toHaveLength(ranks * parts.size);
      expect(parts.size > 1).toBe(maxFileSize < big);
      expect(await readdir(scratchFolder)).toEqual([]);

      const sharded = await completeShards(root);
      const where = ['--original', join(root, 'model/plain'), '--sharded', sharded];
      const oracle = ['--tp', String(ranks), '--max-size', String(maxFileSize), '--dtype', dtype];
      const { code, output } = await runScript('state_oracle.py', [...where, ...oracle]);
      expect(output).toContain('SAME');
      expect(code).toBe(0);
    }
  );
});
