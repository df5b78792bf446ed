import type { Dir, ShardPlanSummary, ShardProgress, ShardStep } from '../../core/contract.js';
import { isPrefetchError } from '../../core/errors.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import type { ActivityDependencies } from '../dependencies.js';
import { checkShards } from './check-shards.js';
import { copyModelFiles } from './copy-model-files.js';
import { planShards } from './plan-shards.js';
import { publishShards } from './publish-shards.js';
import { shardNatively } from './shard-natively.js';
import { requireVllm, shardWithVllm } from './shard-with-vllm.js';
import type { ShardingJob } from './sharding-job.js';

/** Where sharding in one process stands. */
export interface ShardMoment {
  readonly phase: 'plan' | 'shard' | 'check' | 'publish';
  readonly plan?: ShardPlanSummary;
  readonly bytesDone: number;
  readonly current?: string;
}

/** How sharding in one process is ended and watched. */
export interface InProcessOptions {
  readonly signal: AbortSignal;
  readonly onMoment: (moment: ShardMoment) => void;
}

/** One is written while the one before is completed, which a store may take its time for. */
const PARTS_AT_ONCE = 2;
/** As often as the workflow does. */
const PLANS_ANEW = 3;
/**
 * What another run does to this one: it changes the plan or the checkpoint, it replaces a part, or it publishes and removes
 * the uploads that are left. After the last two Temporal would try that step again.
 */
const RACED = ['ObjectChanged', 'StoreConflict', 'UploadNotFound'] as const;

/**
 * Shards in this process, as the workflow does with its activities. What somebody else changed under it is planned anew:
 * where that was the same sharding, its Dir is found then.
 */
export async function shardUntilPublished(
  dependencies: ActivityDependencies,
  job: ShardingJob,
  options: InProcessOptions
): Promise<{ readonly dir: Dir; readonly hit: boolean }> {
  for (let round = 0; ; round++) {
    try {
      return await shardInProcess(dependencies, job, options);
    } catch (error) {
      const isRaced = RACED.some((code) => isPrefetchError(error, code));
      const mayPass = isRaced || (isPrefetchError(error, 'ShardMismatch') && round === 0);
      if (!mayPass || round === PLANS_ANEW) throw error;
      options.signal.throwIfAborted();
    }
  }
}

/** Plans, writes, checks and publishes once, in this process and without Temporal; a later call goes on with it. */
export async function shardInProcess(
  dependencies: ActivityDependencies,
  job: ShardingJob,
  { signal, onMoment }: InProcessOptions
): Promise<{ readonly dir: Dir; readonly hit: boolean }> {
  onMoment({ phase: 'plan', bytesDone: 0 });
  const outcome = await planShards(dependencies, job, { signal });
  if (outcome.kind === 'hit') return { dir: outcome.dir, hit: true };
  const { plan } = outcome;
  const step: ShardStep = { destination: job.target.store.root, dirKey: plan.dirKey, planId: plan.planId };
  if (plan.engine === 'vllm') {
    // Where there is no vLLM people want to know why one was needed.
    onMoment({ phase: 'shard', plan, bytesDone: 0 });
    await requireVllm(dependencies, step, { signal });
  }
  await copyModelFiles(dependencies, step, { signal, onProgress: () => undefined });
  await writeAndCheck(dependencies, { plan, step }, { signal, onMoment });
  onMoment({ phase: 'publish', plan, bytesDone: plan.totalBytes });
  const { revision } = job.model;
  return { dir: await publishShards(dependencies, step, { revision, signal, now: new Date() }), hit: false };
}

async function writeAndCheck(
  dependencies: ActivityDependencies,
  { plan, step }: { readonly plan: ShardPlanSummary; readonly step: ShardStep },
  { signal, onMoment }: InProcessOptions
): Promise<void> {
  const inPhase = (phase: ShardMoment['phase']) => {
    const done = new Map<number, number>();
    return (number: number) =>
      ({ bytesDone, current }: ShardProgress): void => {
        done.set(number, bytesDone);
        onMoment({ phase, plan, bytesDone: [...done.values()].reduce((sum, bytes) => sum + bytes, 0), current });
      };
  };
  const writing = inPhase('shard');
  if (plan.engine === 'vllm') {
    await shardWithVllm(dependencies, step, { signal, onProgress: writing(0) });
  } else {
    await forEachAtOnce(numbers(plan.parts), { limit: PARTS_AT_ONCE, signal }, async (number, inner) => {
      await shardNatively(dependencies, { ...step, number }, { ...inner, onProgress: writing(number) });
    });
  }
  const checking = inPhase('check');
  await forEachAtOnce(numbers(plan.checks), { limit: PARTS_AT_ONCE, signal }, async (number, inner) => {
    await checkShards(dependencies, { ...step, number }, { ...inner, onProgress: checking(number) });
  });
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}
