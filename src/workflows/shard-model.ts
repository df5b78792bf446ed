import { proxyActivities, workflowInfo, type ActivityOptions } from '@temporalio/workflow';
import type { Dir, PrefetchSpec, ShardActivities, ShardPlanSummary, ShardStep } from '../core/contract.js';
import { taskQueue, type Role } from '../core/queues.js';
import { BATCH, LIGHT_STEP } from './activity-options.js';
import { decoded } from './failures.js';
import type { Report } from './report.js';
import { slidingWindow } from './sliding-window.js';

/** Where a run goes on with sharding. */
export interface ShardState {
  readonly plan: ShardPlanSummary;
  readonly stage: 'write' | 'check';
  /** First step of the stage that is not started. */
  readonly next: number;
}

const { planShards } = proxyActivities<ShardActivities>({ ...LIGHT_STEP, summary: 'layout and engine of the shards' });
const { publishShards } = proxyActivities<ShardActivities>({
  ...LIGHT_STEP,
  summary: 'check every shard, write the manifest',
});

/** What a run shards, and where the run before it stopped. */
export interface Sharding {
  readonly spec: PrefetchSpec;
  readonly before: ShardState | undefined;
  readonly report: Report;
  /** How often the shards were planned before in this run. */
  readonly round: number;
}

/**
 * Shards the published Dir of a spec into one beside it.
 * @returns the sharded Dir, or where the next run goes on
 */
export async function shardModel(sharding: Sharding): Promise<{ dir: Dir; cacheHit: boolean } | ShardState> {
  const { spec, before, report } = sharding;
  if (before !== undefined) return continueSharding(sharding, before);
  const outcome = decoded(await planShards(spec));
  if (outcome.kind === 'hit') return { dir: outcome.dir, cacheHit: true };
  report.sharding(outcome.plan);
  return continueSharding(sharding, { plan: outcome.plan, stage: 'write', next: 0 });
}

async function continueSharding(
  sharding: Sharding,
  state: ShardState
): Promise<{ dir: Dir; cacheHit: boolean } | ShardState> {
  const { spec, report } = sharding;
  const { plan } = state;
  if (state.stage === 'write') {
    const next = await writeShards(sharding, plan, state.next);
    if (next !== undefined) return { plan, stage: 'write', next };
    report.checking(plan);
  }
  const next = await checkAll(sharding, plan, state.stage === 'check' ? state.next : 0);
  if (next !== undefined) return { plan, stage: 'check', next };
  report.publishing();
  return { dir: await publishShards(stepOf(spec, plan), { revision: spec.revision }), cacheHit: false };
}

/** The files beside the weights go with the first steps; they are copied once, and found the next time. */
async function writeShards(sharding: Sharding, plan: ShardPlanSummary, next: number): Promise<number | undefined> {
  const { spec, report } = sharding;
  const copyFiles = async () => {
    const { copyModelFiles } = onQueue(sharding, 'shard', { id: 'model-files', summary: 'config, tokenizer' });
    await copyModelFiles(stepOf(spec, plan));
  };
  if (plan.engine === 'vllm') {
    // First, for vLLM may find out that the copied config has to change.
    await copyFiles();
    const { shardWithVllm } = onQueue(sharding, 'gpu', { id: 'vllm', summary: plan.reason.slice(0, 200) });
    const { resources } = spec;
    report.stepDone(
      decoded(await shardWithVllm({ ...stepOf(spec, plan), ...(resources === undefined ? {} : { resources }) }))
    );
    return undefined;
  }
  return slidingWindow({ count: plan.parts + 1, next }, async (number) => {
    if (number === 0) return copyFiles();
    const part = number - 1;
    const summary = `part ${String(number)} of ${String(plan.parts)} of every rank`;
    const { shardNatively } = onQueue(sharding, 'shard', { id: `part-${String(part)}`, summary });
    report.stepDone(decoded(await shardNatively({ ...stepOf(spec, plan), number: part })));
  });
}

async function checkAll(sharding: Sharding, plan: ShardPlanSummary, next: number): Promise<number | undefined> {
  const { spec, report } = sharding;
  return slidingWindow({ count: plan.checks, next }, async (number) => {
    const summary = `weights file ${String(number + 1)} of ${String(plan.checks)} from the ranks`;
    const { checkShards } = onQueue(sharding, 'shard', { id: `check-${String(number)}`, summary });
    report.stepDone(decoded(await checkShards({ ...stepOf(spec, plan), number })));
  });
}

function stepOf({ destination }: PrefetchSpec, { dirKey, planId }: ShardPlanSummary): ShardStep {
  return { destination, dirKey, planId };
}

/** A host with GPUs may have to be started first, so that no time-out starts before the work does. */
const ON_GPU: ActivityOptions = {
  startToCloseTimeout: '24h',
  // vLLM takes all of a host, and what is taken for dead by mistake is an hour of its GPUs.
  heartbeatTimeout: '60s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '30s', backoffCoefficient: 2, maximumInterval: '10m' },
};

function onQueue(
  { spec, round }: Sharding,
  role: Role & ('shard' | 'gpu'),
  { id, summary }: { readonly id: string; readonly summary: string }
) {
  return proxyActivities<ShardActivities>({
    ...(role === 'gpu' ? ON_GPU : BATCH),
    taskQueue: taskQueue(workflowInfo().taskQueue, role, spec.resources?.gpu),
    activityId: round === 0 ? id : `${id}-again-${String(round)}`,
    summary,
  });
}
