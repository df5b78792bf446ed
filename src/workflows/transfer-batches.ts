import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type {
  BatchSpec,
  BatchRequest,
  BatchResult,
  PlanSummary,
  PrefetchActivities,
  PrefetchSpec,
} from '../core/contract.js';
import { taskQueue } from '../core/queues.js';
import { BATCH, ifSoon } from './activity-options.js';
import { decoded, failedWith } from './failures.js';
import { slidingWindow } from './sliding-window.js';

/** Where the transfer stands; a run after continue-as-new begins in the middle. */
export interface TransferState {
  readonly spec: PrefetchSpec;
  readonly plan: PlanSummary;
  /** First batch that is not started. */
  readonly nextBatch: number;
}

/**
 * Runs batches until all are done, or until this run has done its share.
 * @returns the first batch that is left for the next run, or undefined when all are done
 */
export async function transferBatches(
  { spec, plan, nextBatch, round }: TransferState & { readonly round: number },
  onBatchDone: (result: BatchResult) => void
): Promise<number | undefined> {
  return slidingWindow({ count: plan.batchCount, next: nextBatch }, async (batch) => {
    onBatchDone(decoded(await runBatch({ spec: batchSpec(spec), planId: plan.planId, batch }, { ...plan, round })));
  });
}

function batchSpec({ repo, commit, destination, dirKey, hfTokenKey, force }: PrefetchSpec): BatchSpec {
  return {
    repo,
    commit,
    destination,
    dirKey,
    ...(hfTokenKey === undefined ? {} : { hfTokenKey }),
    ...(force === undefined ? {} : { force }),
  };
}

async function runBatch(request: BatchRequest, plan: PlannedRound): Promise<BatchResult> {
  if (plan.downloadUpload) return activities(request, plan).downloadAndUploadFiles(request);
  try {
    return await activities(request, plan).streamFiles(request);
  } catch (error) {
    // Only a store or a source that cannot stream at all is worth the detour over local disk.
    if (!failedWith(error, 'StreamingUnsupported')) throw error;
    return activities(request, plan, 'by local disk').downloadAndUploadFiles(request);
  }
}

type PlannedRound = PlanSummary & { readonly round: number };

function activities({ batch }: BatchRequest, plan: PlannedRound, how?: string) {
  const summary = `batch ${String(batch + 1)} of ${String(plan.batchCount)}${how === undefined ? '' : `, ${how}`}`;
  // The batches of the round before may still be ending, and an ID is theirs until then.
  const again = plan.round === 0 ? '' : `-again-${String(plan.round)}`;
  return proxyActivities<PrefetchActivities>({
    ...(plan.served === undefined ? BATCH : ifSoon(BATCH)),
    taskQueue: taskQueue(workflowInfo().taskQueue, 'transfer'),
    activityId: `batch-${String(batch)}${again}${how === undefined ? '' : '-by-disk'}`,
    summary,
  });
}
