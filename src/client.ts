import type { Client, WorkflowHandle } from '@temporalio/client';
import { BATCH_ACTIVITIES, PROGRESS_QUERY, SHARD_ACTIVITIES } from './core/contract.js';
import type { BatchProgress, Dir, PrefetchInput, PrefetchProgress, ShardProgress } from './core/contract.js';
import { PrefetchError } from './core/errors.js';
import { prefetchWorkflowId as workflowIdOf } from './core/identity.js';
import { DEFAULT_TASK_QUEUE } from './core/queues.js';
import { assertInput } from './core/schemas/parse.js';
import { asUndecoded, resultNotDecodedText } from './core/undecoded.js';
import { awaitPrefetch, type AwaitOptions } from './starter/await-prefetch.js';
import { pendingActivities } from './starter/pending-activities.js';
import { startPrefetch } from './starter/start-prefetch.js';

export type { Dir, PrefetchInput, PrefetchProgress, ShardConfig } from './core/contract.js';
export { PrefetchError, type ErrorCode } from './core/errors.js';

/** What a `PrefetchClient` talks to. */
export interface PrefetchClientOptions {
  readonly client: Client;
  /** Base name of the queues. @default 'model-prefetch' */
  readonly taskQueue?: string;
}

/** How a run stands with the server, without asking a worker. */
export type PrefetchStatus = 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed-out';

/** Progress of the run with what its running activities last reported. */
export interface LiveProgress extends PrefetchProgress {
  /** The biggest file in flight. */
  readonly current?: string;
  /** Why an activity waits to be tried again: its last failure, and how often it was tried. */
  readonly waiting?: { readonly activity: string; readonly attempt: number; readonly message: string };
}

/** One run, by its workflow ID: any process may hold any number of these. */
export interface PrefetchHandle {
  readonly workflowId: string;
  /**
   * Waits for the Dir, also while the server is away; throws a `PrefetchError` with the code and the details that the run
   * failed with. Giving up never cancels the run. `onOutage` hears of each try that the server did not answer.
   */
  result(options?: Pick<AwaitOptions, 'signal' | 'onOutage'>): Promise<Dir>;
  progress(): Promise<LiveProgress>;
  status(): Promise<PrefetchStatus>;
  cancel(): Promise<void>;
}

/** The workflow ID of an input: the cache key. Throws `InvalidInput`. */
export function prefetchWorkflowId(input: PrefetchInput): string {
  assertInput(input);
  return workflowIdOf(input);
}

/** Starts a prefetch or joins the running one, and waits for its Dir. */
export async function prefetchModel(
  options: PrefetchClientOptions,
  input: PrefetchInput,
  wait: { readonly signal?: AbortSignal } = {}
): Promise<Dir> {
  const handle = await new PrefetchClient(options).start(input);
  return handle.result(wait);
}

/** A prefetch by its workflow ID, running or done. */
export function getPrefetch(options: PrefetchClientOptions, workflowId: string): PrefetchHandle {
  return new PrefetchClient(options).get(workflowId);
}

/** Starts prefetches and follows them, with the policies that make the workflow ID a cache key. */
export class PrefetchClient {
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor(options: PrefetchClientOptions) {
    this.#client = options.client;
    this.#taskQueue = options.taskQueue ?? DEFAULT_TASK_QUEUE;
  }

  /** Starts the prefetch, or joins the one that runs. `restartRunning` ends that one first: only for the owner of its dead worker. */
  async start(input: PrefetchInput, options: { readonly restartRunning?: boolean } = {}): Promise<PrefetchHandle> {
    const handle = await startPrefetch(this.#client, input, { taskQueue: this.#taskQueue, ...options });
    return this.get(handle.workflowId);
  }

  get(workflowId: string): PrefetchHandle {
    const client = this.#client;
    const handle = client.workflow.getHandle(workflowId);
    return {
      workflowId,
      result: (options) => awaitPrefetch(client, workflowId, options),
      progress: () => liveProgress(handle),
      status: () => status(handle),
      cancel: async () => {
        await found(handle, () => handle.cancel());
      },
    };
  }
}

async function status(handle: WorkflowHandle): Promise<PrefetchStatus> {
  const { status } = await found(handle, () => handle.describe());
  switch (status.name) {
    case 'COMPLETED':
      return 'completed';
    case 'FAILED':
      return 'failed';
    case 'CANCELLED':
      return 'cancelled';
    case 'TERMINATED':
      return 'terminated';
    case 'TIMED_OUT':
      return 'timed-out';
    default:
      return 'running';
  }
}

/** The workflow knows finished batches; what is in flight stands in the heartbeats of its pending activities. */
async function liveProgress(handle: WorkflowHandle): Promise<LiveProgress> {
  const [progress, pending] = await found(handle, () =>
    Promise.all([handle.query<PrefetchProgress>(PROGRESS_QUERY), pendingActivities(handle)])
  );
  const undecoded = asUndecoded(progress);
  if (undecoded !== undefined) {
    throw new PrefetchError(
      'ResultNotDecoded',
      resultNotDecodedText(`The progress of ${handle.workflowId}`, undecoded)
    );
  }
  const details = (types: readonly string[]) =>
    pending.filter(({ type }) => types.includes(type)).map((activity) => activity.details);
  const flying = details(BATCH_ACTIVITIES).filter((each): each is BatchProgress => isProgress(each));
  const sharding = details(SHARD_ACTIVITIES).filter((each): each is ShardProgress => isProgress(each));
  const waiting = pending.find(({ lastFailure }) => lastFailure !== undefined);
  const current = [...flying, ...sharding].find((each) => each.current !== undefined)?.current;
  return {
    ...progress,
    filesDone: progress.filesDone + sum(flying.map((batch) => batch.filesDone)),
    bytesDone: progress.bytesDone + sum([...flying, ...sharding].map((each) => each.bytesDone)),
    ...(current === undefined ? {} : { current }),
    ...(waiting?.lastFailure === undefined
      ? {}
      : { waiting: { activity: waiting.type, attempt: waiting.attempt, message: waiting.lastFailure } }),
  };
}

async function found<T>(handle: WorkflowHandle, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'WorkflowNotFoundError') throw error;
    throw new PrefetchError('WorkflowNotFound', `There is no workflow with the ID ${handle.workflowId}`);
  }
}

function isProgress(value: unknown): value is BatchProgress | ShardProgress {
  return typeof value === 'object' && value !== null && 'bytesDone' in value && typeof value.bytesDone === 'number';
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
