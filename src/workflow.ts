/** For other people's workflows: safe in the sandbox, and nothing of the worker side in the bundle. */
import type { Duration } from '@temporalio/common';
import { ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import type { Dir, PrefetchInput, WaitActivities } from './core/contract.js';
import { isErrorCode, type ErrorCode } from './core/error-codes.js';
import { DEFAULT_TASK_QUEUE, taskQueue } from './core/queues.js';
import { hasTokenShape } from './core/token-shape.js';

export type { Dir, PrefetchInput, ShardConfig } from './core/contract.js';
export type { ErrorCode } from './core/error-codes.js';

/** Where and how long a workflow waits for a model. */
export interface EnsureModelOptions {
  /** Base name of the queues that run the prefetch. @default 'model-prefetch' */
  readonly taskQueue?: string;
  /**
   * Which queue waits: the one of the prefetch workers, which has slots for it, or this workflow's own, where
   * `ModelPrefetchPlugin` serves the wait and each waiter holds an activity slot. @default 'prefetch-workers'
   */
  readonly waitOn?: 'prefetch-workers' | 'own-queue';
  /** How long to wait for the model: a text such as '1 hour' or '90m', or milliseconds. @default '7 days' */
  readonly timeout?: Duration;
  /**
   * Whether cancelling the wait cancels the run too, for everybody who waits for it. A wait that ran out of time leaves it
   * alone either way. @default false
   */
  readonly cancelRun?: boolean;
}

/**
 * Makes sure that a model lies in the store, and gives its Dir. Whoever asks for the same model waits for the same run;
 * a published one comes back at once. Cancelling the wait leaves the run alone, unless `cancelRun` says otherwise.
 * @throws ActivityFailure whose cause is an ApplicationFailure of the code that the run failed with, such as `GatedRepo`;
 *   `isPrefetchFailure(error, 'GatedRepo')` tells
 */
export async function ensureModel(input: PrefetchInput, options: EnsureModelOptions = {}): Promise<Dir> {
  refuseToken(input);
  const base = options.taskQueue ?? DEFAULT_TASK_QUEUE;
  const { ensureModel: wait } = proxyActivities<WaitActivities>({
    ...(options.waitOn === 'own-queue' ? {} : { taskQueue: taskQueue(base, 'wait') }),
    scheduleToCloseTimeout: options.timeout ?? '7 days',
    // A workflow that does not wait for it may end first, and then the activity is not told that it was cancelled.
    ...(options.cancelRun === true ? { cancellationType: 'WAIT_CANCELLATION_COMPLETED' } : {}),
    heartbeatTimeout: '60 seconds',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    summary: `model ${input.repo}`,
  });
  return wait({ input, taskQueue: base, ...(options.cancelRun === true ? { cancelRun: true } : {}) });
}

/** Before the wait is scheduled, for its history would keep the token. */
function refuseToken({ hfTokenKey }: PrefetchInput): void {
  if (typeof hfTokenKey !== 'string' || !hasTokenShape(hfTokenKey)) return;
  throw ApplicationFailure.nonRetryable(
    'InvalidInput: hfTokenKey: expected the NAME of a secret on the worker, such as HF_TOKEN, never the token itself: ' +
      'this looks like one. If an input or a result of this workflow holds it, revoke it on the Hub',
    'InvalidInput'
  );
}

/**
 * The code that a prefetch failed with, out of what `ensureModel()`, or a child workflow that awaits it, threw; also the one
 * that a wait last failed with before it ran out of time. Undefined for any other error.
 */
export function prefetchErrorCode(error: unknown): ErrorCode | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof ApplicationFailure && isErrorCode(each.type)) return each.type;
  }
  return undefined;
}

/** Whether a prefetch failed, and with that code where one is given. */
export function isPrefetchFailure(error: unknown, code?: ErrorCode): boolean {
  const found = prefetchErrorCode(error);
  return found !== undefined && (code === undefined || found === code);
}
