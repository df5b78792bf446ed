import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planShards } from '../../../src/steps/shards/plan-shards.js';
import { shardWithVllm } from '../../../src/steps/shards/shard-with-vllm.js';
import { records, writeShardRecord } from '../../../src/dir/shard-records.js';
import type { ShardStep } from '../../../src/core/contract.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { live } from '../../helpers/transfer-setup.js';
import { filesIn, putFile, setUpJob, type JobSetup } from './setup.js';

const options = () => ({ ...live(), onProgress: () => undefined });

/** vLLM is not installed where these run: what is told of it is a record that stands for its work. */
async function noteUntied(setup: JobSetup, step: ShardStep): Promise<void> {
  const vllm = { version: '0.32.0', dtype: 'bfloat16', device: 'cpu', untied: true } as const;
  await writeShardRecord(setup.store, step, records.vllm, { files: [], checked: [], vllm });
}

const isTied = async (setup: JobSetup): Promise<unknown> =>
  (JSON.parse(await readFile(join(setup.target, 'config.json'), 'utf8')) as { tie_word_embeddings?: unknown })
    .tie_word_embeddings;

describe('a model that vLLM unties', () => {
  test('has its config changed again where that was copied once more', async () => {
    const setup = await setUpJob('llama-tied');
    const { step } = await setup.plan({ engine: 'vllm' });
    await setup.copy(step);
    await noteUntied(setup, step);
    expect(await isTied(setup)).toBe(true);
    await shardWithVllm(setup.dependencies, step, options());
    expect(await isTied(setup)).toBe(false);
    await rm(join(setup.target, 'config.json'));
    await setup.copy(step);
    await shardWithVllm(setup.dependencies, step, options());
    expect(await isTied(setup)).toBe(false);
    expect([...(await filesIn(setup.target)).keys()]).toContain('tokenizer.json');
  });

  test('waits for the copies of the other files, which a config alone must not pass for', async () => {
    const setup = await setUpJob('llama-tied');
    const { step } = await setup.plan({ engine: 'vllm' });
    await noteUntied(setup, step);
    expect(await lateRefusal(shardWithVllm(setup.dependencies, step, options()))).toMatchObject({
      code: 'ObjectChanged',
    });
    await setup.copy(step);
    expect([...(await filesIn(setup.target)).keys()].filter((path) => !path.startsWith('.prefetch/'))).toEqual([
      'config.json',
      'tokenizer.json',
    ]);
  });
});

test('what is asked of the host may change while a plan is begun', async () => {
  const setup = await setUpJob();
  const { step } = await setup.plan({ engine: 'vllm' });
  const run = (memory: string) =>
    lateRefusal(shardWithVllm(setup.dependencies, { ...step, resources: { memory } }, options()));
  expect(await run('900000Gi')).toMatchObject({ code: 'InsufficientResources' });
  expect(await run('1Mi')).toMatchObject({ code: 'VllmUnavailable' });
});

describe('a model that only vLLM knows', () => {
  const unknown = async (): Promise<JobSetup> => {
    const setup = await setUpJob();
    await putFile(setup.source, 'config.json', JSON.stringify({ architectures: ['GPT2LMHeadModel'] }));
    return setup;
  };

  test('goes on in the folder where an attempt left shards that nobody could know of', async () => {
    const setup = await unknown();
    await setup.plan({ engine: 'vllm' });
    await putFile(setup.target, 'model-rank-1-part-7.safetensors', 'x');
    expect((await setup.plan({ engine: 'vllm' })).summary.engine).toBe('vllm');
  });

  test('is no hit for another model that goes to the same folder', async () => {
    const setup = await unknown();
    const { step } = await setup.plan({ engine: 'vllm' });
    await setup.copy(step);
    await noteUntied(setup, step);
    await shardWithVllm(setup.dependencies, step, options());
    const { path, commit } = await setup.publish(step);
    expect(await planShards(setup.dependencies, await setup.job({ engine: 'vllm' }), live())).toMatchObject({
      kind: 'hit',
      dir: { path, commit },
    });
    await writeFile(join(setup.source, 'vocab.txt'), 'another model');
    const { code, message } = await lateRefusal(setup.plan({ engine: 'vllm' }));
    expect([code, message]).toEqual(['InvalidInput', expect.stringContaining('--force')]);
    const other = await setup.plan({ engine: 'vllm', force: 1 });
    await setup.copy(other.step);
    await noteUntied(setup, other.step);
    await shardWithVllm(setup.dependencies, other.step, options());
    expect((await setup.publish(other.step)).commit).not.toBe(commit);
  });
});
