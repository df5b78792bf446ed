import type { Client } from '@temporalio/client';
import type { PrefetchInput } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import { taskQueue } from '../../core/queues.js';
import { hasPollers } from '../../starter/pollers.js';

/**
 * Fails as `NoWorkers` when nobody would take the run.
 * @returns warnings for what only its later steps need: such workers may be started on demand
 */
export async function checkWorkers(
  client: Client,
  base: string,
  { shardConfig, resources }: Pick<PrefetchInput, 'shardConfig' | 'resources'>
): Promise<string[]> {
  if (!(await hasPollers(client, base, 'workflow'))) {
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
    (await hasPollers(client, queue, 'activity'))
      ? []
      : [`No worker polls the task queue "${queue}" yet: ${what} until one does`]
  );
  return (await Promise.all(warnings)).flat();
}
