import { proxyActivities } from '@temporalio/workflow';

const { step } = proxyActivities<{ step(): Promise<void> }>({
  startToCloseTimeout: '1m',
  heartbeatTimeout: '60s',
  retry: { initialInterval: 10, maximumAttempts: 9 },
});

/** An activity that a server retries. */
export async function retried(): Promise<void> {
  await step();
}
