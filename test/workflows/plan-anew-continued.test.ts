import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import type { ShardPlanSummary } from '../../src/core/contract.js';
import { shardConfigSchema } from '../../src/core/schemas/input.js';
import { changed, outcome, published, spec, useToldWorkflow, type Told } from './told-workflow.js';

const runWorkflow = useToldWorkflow();
/** One more than a run does, so that the last one is done by the next run. */
const STEPS = 251;
const shardConfig = shardConfigSchema.parse({ engine: 'native', args: { tensorParallelSize: 2 } });

test('a transfer of several runs gives up in the end when something else goes on changing the Dir', async () => {
  let plans = 0;
  const failed = runWorkflow({
    planPrefetch: () => {
      plans++;
      return Promise.resolve({ ...outcome, plan: { ...outcome.plan, batchCount: STEPS } });
    },
    streamFiles: ({ batch }) =>
      batch === STEPS - 1 ? Promise.reject(changed()) : Promise.resolve({ files: 1, bytes: 1, fetchedBytes: 1 }),
  });
  await expect(failed).rejects.toThrow(/^ObjectChanged/);
  expect(plans).toBe(4);
});

test('shards of several runs that differ from their source are written a second time and no third', async () => {
  let plans = 0;
  const plan: ShardPlanSummary = {
    planId: '0123456789abcdef',
    dirKey: 'model/tp2/',
    engine: 'native',
    reason: 'auto: this layout is verified',
    tensorParallelSize: 2,
    dtype: 'bfloat16',
    parts: STEPS - 1,
    checks: 1,
    totalBytes: 1,
  };
  const done = () => Promise.resolve({ files: 1, bytes: 1 });
  const told: Told = {
    authenticate: () => Promise.resolve({ ...spec, shardConfig }),
    findShards: () => Promise.resolve(undefined),
    planPrefetch: () => Promise.resolve({ kind: 'hit', dir: published }),
    planShards: () => {
      plans++;
      return Promise.resolve({ kind: 'shard', plan });
    },
    copyModelFiles: done,
    shardNatively: done,
    checkShards: () =>
      Promise.reject(ApplicationFailure.nonRetryable('ShardMismatch: a rank differs', 'ShardMismatch')),
  };
  await expect(runWorkflow(told)).rejects.toThrow(/^ShardMismatch/);
  expect(plans).toBe(2);
});
