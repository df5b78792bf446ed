import { QueryNotRegisteredError, type Client, type WorkflowHandle } from '@temporalio/client';
import {
  BATCH_ACTIVITIES,
  PROGRESS_QUERY,
  SHARD_ACTIVITIES,
  type BatchProgress,
  type PrefetchProgress,
  type ShardProgress,
} from '../core/contract.js';
import { PrefetchError } from '../core/errors.js';
import { asUndecoded, resultNotDecodedText } from '../core/undecoded.js';
import { pendingActivities } from './pending-activities.js';
import { hasPollers } from './pollers.js';
import { waitingStep, type WaitingStep } from './waiting-step.js';

/** Progress of the run with what its running activities last reported. */
export interface LiveProgress extends PrefetchProgress {
  /** The biggest file in flight. */
  readonly current?: string;
  /** The step that does not get on, and why. */
  readonly waiting?: WaitingStep;
}

/** A worker that is there answers at once; one that is not is asked about. */
const ANSWER_MS = 6_000;

/**
 * The workflow knows finished batches; what is in flight stands in the heartbeats of its pending activities.
 * @throws PrefetchError `NoWorkers` when nobody is there to answer for the workflow, `ResultNotDecoded` when this client lacks
 *   the data converter of the workers
 */
export async function liveProgress(client: Client, handle: WorkflowHandle): Promise<LiveProgress> {
  const progress = decoded(await askWorkflow(client, handle), handle.workflowId);
  // In this order: a batch that finishes meanwhile is missed for a moment, and not counted twice.
  const description = await handle.describe();
  const pending = await pendingActivities(description, client.options.loadedDataConverter);
  const details = (types: readonly string[]) =>
    pending.filter(({ type }) => types.includes(type)).map((activity) => activity.details);
  const flying = details(BATCH_ACTIVITIES).filter((each): each is BatchProgress => isProgress(each));
  const sharding = details(SHARD_ACTIVITIES).filter((each): each is ShardProgress => isProgress(each));
  const current = [...flying, ...sharding].find((each) => each.current !== undefined)?.current;
  const waiting = await waitingStep(
    { client, workflowId: description.workflowId, taskQueue: description.taskQueue },
    pending
  );
  return {
    ...progress,
    filesDone: progress.filesDone + sum(flying.map((batch) => batch.filesDone)),
    bytesDone: progress.bytesDone + sum([...flying, ...sharding].map((each) => each.bytesDone)),
    ...(progress.foundBytes === undefined
      ? {}
      : { foundBytes: progress.foundBytes + sum(flying.map(({ foundBytes = 0 }) => foundBytes)) }),
    ...(current === undefined ? {} : { current }),
    ...(waiting === undefined ? {} : { waiting }),
  };
}

async function askWorkflow(client: Client, handle: WorkflowHandle): Promise<PrefetchProgress> {
  try {
    return await client.withDeadline(Date.now() + ANSWER_MS, () => handle.query<PrefetchProgress>(PROGRESS_QUERY));
  } catch (error) {
    const isNone = error instanceof Error && error.name === 'WorkflowNotFoundError';
    if (!isNone && !(error instanceof QueryNotRegisteredError)) await requireWorker(client, handle);
    throw error;
  }
}

function decoded(progress: PrefetchProgress, workflowId: string): PrefetchProgress {
  const undecoded = asUndecoded(progress);
  if (undecoded === undefined) return progress;
  throw new PrefetchError('ResultNotDecoded', resultNotDecodedText(`The progress of ${workflowId}`, undecoded));
}

async function requireWorker(client: Client, handle: WorkflowHandle): Promise<void> {
  const { taskQueue, status } = await handle.describe();
  if (status.name !== 'RUNNING' || (await hasPollers(client, taskQueue, 'workflow'))) return;
  throw new PrefetchError(
    'NoWorkers',
    `No worker polls the task queue "${taskQueue}": the run goes on once one does (model-prefetch worker)`
  );
}

function isProgress(value: unknown): value is BatchProgress | ShardProgress {
  return typeof value === 'object' && value !== null && 'bytesDone' in value && typeof value.bytesDone === 'number';
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
