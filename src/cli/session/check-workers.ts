import type { Client } from '@temporalio/client';
import { PrefetchError } from '../../core/errors.js';
import { taskQueue } from '../../core/queues.js';

/** A worker asks for work at least once a minute; one that was heard of longer ago is gone. */
const ALIVE_MS = 75_000;
const CALL_MS = 10_000;
const WORKFLOW_QUEUE = 1;
const ACTIVITY_QUEUE = 2;

/**
 * Fails as `NoWorkers` when nobody would take the run.
 * @returns a warning when only the transfers have no worker: those may be started on demand
 */
export async function checkWorkers(client: Client, base: string): Promise<string | undefined> {
  if (!(await hasPollers(client, base, WORKFLOW_QUEUE))) {
    throw new PrefetchError(
      'NoWorkers',
      `No worker polls the task queue "${base}" in the namespace "${client.options.namespace}". ` +
        'Start one (model-prefetch worker), or set MODEL_PREFETCH_TASK_QUEUE to the queue that your workers serve'
    );
  }
  const transfers = taskQueue(base, 'transfer');
  if (await hasPollers(client, transfers, ACTIVITY_QUEUE)) return undefined;
  return `No worker polls the task queue "${transfers}" yet: nothing is transferred until one does`;
}

async function hasPollers(client: Client, name: string, taskQueueType: number): Promise<boolean> {
  const { namespace } = client.options;
  const request = { namespace, taskQueue: { name }, taskQueueType };
  const { pollers } = await client.withDeadline(Date.now() + CALL_MS, () =>
    // The enum of queue types lives in a package that is no dependency of ours.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
    client.workflowService.describeTaskQueue(request)
  );
  const oldest = (Date.now() - ALIVE_MS) / 1000;
  return pollers.some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) > oldest);
}
