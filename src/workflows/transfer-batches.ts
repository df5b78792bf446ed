import { CancellationScope, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type {
  BatchSpec,
  BatchRequest,
  BatchResult,
  PlanSummary,
  PrefetchActivities,
  PrefetchSpec,
} from '../core/contract.js';
import { taskQueue } from '../core/queues.js';
import { BATCH } from './activity-options.js';
import { failedWith } from './failures.js';

/** Batches under way at once: enough for many workers; each worker takes as many as it has slots. */
const WINDOW = 32;
/** A batch leaves about six events; this keeps a run far under the server's limit of 51,200. */
const BATCHES_PER_RUN = 250;

export interface TransferState {
  readonly spec: PrefetchSpec;
  readonly plan: PlanSummary;
  /** First batch that is not started. */
  readonly nextBatch: number;
}

/**
 * Runs batches in a sliding window until all are done, or until this run has done its share.
 * The first failure cancels the others and is thrown when all of them stopped.
 * @returns the first batch that is left for the next run, or undefined when all are done
 */
export async function transferBatches(
  { spec, plan, nextBatch, round }: TransferState & { readonly round: number },
  onBatchDone: (result: BatchResult) => void
): Promise<number | undefined> {
  const last = Math.min(plan.batchCount, nextBatch + BATCHES_PER_RUN);
  let next = nextBatch;
  const runLane = async () => {
    while (next < last && !workflowInfo().continueAsNewSuggested) {
      const batch = next++;
      onBatchDone(await runBatch({ spec: batchSpec(spec), planId: plan.planId, batch }, { ...plan, round }));
    }
  };
  await CancellationScope.cancellable(async () => {
    const scope = CancellationScope.current();
    let first: { readonly error: unknown } | undefined;
    const guarded = async () => {
      try {
        await runLane();
      } catch (error) {
        // The lanes that this cancels fail too, but the first failure is the one to tell.
        first ??= { error };
        scope.cancel();
      }
    };
    await Promise.all(Array.from({ length: Math.min(WINDOW, last - nextBatch) }, guarded));
    if (first !== undefined) throw first.error;
  });
  return next < plan.batchCount ? next : undefined;
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
    ...BATCH,
    taskQueue: taskQueue(workflowInfo().taskQueue, 'transfer'),
    activityId: `batch-${String(batch)}${again}${how === undefined ? '' : '-by-disk'}`,
    summary,
  });
}
