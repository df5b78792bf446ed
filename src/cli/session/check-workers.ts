import type { Client } from '@temporalio/client';
import type { PrefetchInput } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import { taskQueue } from '../../core/queues.js';

/** A worker asks for work at least once a minute; one that was heard of longer ago is gone. */
const ALIVE_MS = 75_000;
const CALL_MS = 10_000;
const WORKFLOW_QUEUE = 1;
const ACTIVITY_QUEUE = 2;

/**
 * Fails as `NoWorkers` when nobody would take the run.
 * @returns warnings for what only its later steps need: such workers may be started on demand
 */
export async function checkWorkers(
  client: Client,
  base: string,
  { shardConfig, resources }: Pick<PrefetchInput, 'shardConfig' | 'resources'>
): Promise<string[]> {
  if (!(await hasPollers(client, base, WORKFLOW_QUEUE))) {
    throw new PrefetchError(
      'NoWorkers',
      `No worker polls the task queue "${base}" in the namespace "${client.options.namespace}". ` +
        'Start one (model-prefetch worker), or set MODEL_PREFETCH_TASK_QUEUE to the queue that your workers serve'
    );
  }
  const later = [{ queue: taskQueue(base, 'transfer'), what: 'nothing is transferred' }];
  if (shardConfig !== undefined) later.push({ queue: taskQueue(base, 'shard'), what: 'nothing is sharded' });
  if (shardConfig?.engine === 'vllm') {
    later.push({ queue: taskQueue(base, 'gpu', resources?.gpu), what: 'vLLM does not start' });
  }
  const warnings = later.map(async ({ queue, what }) =>
    (await hasPollers(client, queue, ACTIVITY_QUEUE))
      ? []
      : [`No worker polls the task queue "${queue}" yet: ${what} until one does`]
  );
  return (await Promise.all(warnings)).flat();
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
