import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Dir, PrefetchInput, WaitActivities } from '../core/contract.js';
import { taskQueue } from '../core/queues.js';
import { decoded, unwrapFailure } from './failures.js';

/**
 * Makes sure that a model lies in the store, under whatever workflow ID it is started: the run that it waits for has the ID of
 * its input, and is shared. For a Schedule, which puts a time stamp into the IDs of what it starts.
 * @param input - a `PrefetchInput`, as `prefetchModel` takes it
 */
export async function refreshModel(input: PrefetchInput): Promise<Dir> {
  const base = workflowInfo().taskQueue;
  const { ensureModel } = proxyActivities<WaitActivities>({
    taskQueue: taskQueue(base, 'wait'),
    scheduleToCloseTimeout: '7 days',
    heartbeatTimeout: '60 seconds',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
  });
  try {
    return decoded(await ensureModel({ input: decoded(input), taskQueue: base }));
  } catch (error) {
    throw unwrapFailure(error);
  }
}
