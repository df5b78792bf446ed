/** For other people's workflows: safe in the sandbox, and nothing of the worker side in the bundle. */
import { proxyActivities } from '@temporalio/workflow';
import type { Dir, PrefetchInput, WaitActivities } from './core/contract.js';
import { DEFAULT_TASK_QUEUE, taskQueue } from './core/queues.js';

export type { Dir, PrefetchInput, ShardConfig } from './core/contract.js';

/** Where and how long a workflow waits for a model. */
export interface EnsureModelOptions {
  /** Base name of the queues that run the prefetch. @default 'model-prefetch' */
  readonly taskQueue?: string;
  /**
   * Which queue waits: the one of the prefetch workers, which has slots for it, or this workflow's own, where
   * `ModelPrefetchPlugin` serves the wait and each waiter holds an activity slot. @default 'prefetch-workers'
   */
  readonly waitOn?: 'prefetch-workers' | 'own-queue';
  /** How long to wait for the model. @default '7 days' */
  readonly timeout?: `${number} ${'seconds' | 'minutes' | 'hours' | 'days'}`;
}

/**
 * Makes sure that a model lies in the store, and gives its Dir. Whoever asks for the same model waits for the same run;
 * a published one comes back at once. Cancelling the wait leaves the run alone.
 * @throws ActivityFailure whose cause is an ApplicationFailure of the code that the run failed with, such as `GatedRepo`
 */
export function ensureModel(input: PrefetchInput, options: EnsureModelOptions = {}): Promise<Dir> {
  const base = options.taskQueue ?? DEFAULT_TASK_QUEUE;
  const { ensureModel: wait } = proxyActivities<WaitActivities>({
    ...(options.waitOn === 'own-queue' ? {} : { taskQueue: taskQueue(base, 'wait') }),
    scheduleToCloseTimeout: options.timeout ?? '7 days',
    heartbeatTimeout: '60 seconds',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    summary: `model ${input.repo}`,
  });
  return wait({ input, taskQueue: base });
}
