import { defineQuery, setCurrentDetails, setHandler } from '@temporalio/workflow';
import {
  PROGRESS_QUERY,
  type BatchResult,
  type Dir,
  type PlanSummary,
  type PrefetchProgress,
  type PrefetchSpec,
  type ShardPlanSummary,
} from '../core/contract.js';
import { describeProgress } from '../core/progress-text.js';

const DESCRIPTION =
  'Phase, and files and bytes of what was there and of finished batches. Batches under way count once they have ' +
  'finished; until then their bytes are in the heartbeats of the pending activities.';
const progressQuery = defineQuery<PrefetchProgress>(PROGRESS_QUERY);

const NOTHING: PrefetchProgress = {
  phase: 'authenticate',
  fileCount: 0,
  totalBytes: 0,
  filesDone: 0,
  bytesDone: 0,
  cacheHit: false,
};

/** How the story tells where it is. */
export interface Report {
  readonly planning: (spec: PrefetchSpec) => void;
  readonly transferring: (plan: PlanSummary) => void;
  readonly batchDone: (result: BatchResult) => void;
  /** The shards are planned and being written. */
  readonly sharding: (plan: ShardPlanSummary) => void;
  readonly checking: (plan: ShardPlanSummary) => void;
  readonly stepDone: (result: { readonly files: number; readonly bytes: number }) => void;
  readonly publishing: () => void;
  readonly done: (dir: Dir, cacheHit: boolean) => void;
  readonly progress: () => PrefetchProgress;
}

/** Keeps the progress of a run, answers the query with it, and shows it to people in the Temporal UI. */
export function startReport(before: PrefetchProgress = NOTHING): Report {
  let progress = before;
  setHandler(progressQuery, () => progress, { description: DESCRIPTION });
  const update = (change: Partial<PrefetchProgress>, dir?: Dir) => {
    progress = { ...progress, ...change };
    setCurrentDetails(describeProgress(progress, dir));
  };
  update({});
  return {
    planning: ({ repo, commit }) => {
      update({ phase: 'plan', repo, commit });
    },
    transferring: (plan) => {
      update({
        phase: 'transfer',
        fileCount: plan.fileCount,
        totalBytes: plan.totalBytes,
        filesDone: plan.fileCount - plan.fetchFiles,
        bytesDone: plan.totalBytes - plan.fetchBytes,
        foundBytes: plan.totalBytes - plan.fetchBytes,
      });
    },
    batchDone: ({ files, bytes, fetchedBytes }) => {
      update({
        filesDone: progress.filesDone + files,
        bytesDone: progress.bytesDone + bytes,
        // Absent where an earlier version began the run.
        ...(progress.foundBytes === undefined
          ? {}
          : { foundBytes: progress.foundBytes + Math.max(0, bytes - fetchedBytes) }),
      });
    },
    sharding: ({ engine, reason, tensorParallelSize, dtype, ...plan }) => {
      update({
        phase: 'shard',
        sharding: { engine, reason, tensorParallelSize, dtype },
        fileCount: plan.parts * tensorParallelSize,
        totalBytes: plan.totalBytes,
        filesDone: 0,
        bytesDone: 0,
      });
    },
    checking: ({ checks, totalBytes }) => {
      update({ phase: 'check', fileCount: checks, totalBytes, filesDone: 0, bytesDone: 0 });
    },
    stepDone: ({ files, bytes }) => {
      update({
        filesDone: progress.filesDone + files,
        bytesDone: Math.min(progress.totalBytes, progress.bytesDone + bytes),
      });
    },
    publishing: () => {
      update({ phase: 'publish' });
    },
    done: (dir, cacheHit) => {
      const { fileCount, totalBytes } = dir;
      update({ phase: 'done', fileCount, totalBytes, filesDone: fileCount, bytesDone: totalBytes, cacheHit }, dir);
    },
    progress: () => progress,
  };
}
