import type { Client } from '@temporalio/client';

/** A worker asks for work at least once a minute; one that was heard of longer ago is gone. */
const ALIVE_MS = 75_000;
const CALL_MS = 10_000;
const TYPES = { workflow: 1, activity: 2 } as const;

/** Whether a worker takes tasks of this type from a queue. */
export async function hasPollers(client: Client, name: string, type: keyof typeof TYPES): Promise<boolean> {
  const { namespace } = client.options;
  const request = { namespace, taskQueue: { name }, taskQueueType: TYPES[type] };
  const { pollers } = await client.withDeadline(Date.now() + CALL_MS, () =>
    // The enum of queue types lives in a package that is no dependency of ours.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
    client.workflowService.describeTaskQueue(request)
  );
  const oldest = (Date.now() - ALIVE_MS) / 1000;
  return pollers.some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) > oldest);
}
