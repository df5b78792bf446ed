import { proxyActivities } from '@temporalio/workflow';
import { ensureModel } from 'temporal-model-prefetch/workflow';
import type * as activities from './activities.js';

const { describeModel } = proxyActivities<typeof activities>({ startToCloseTimeout: '10 minutes' });

/** Waits until the model lies in the store, then hands its Dir to an activity on this worker. */
export async function inference(repo: string): Promise<string> {
  const dir = await ensureModel({ repo, selection: 'vllm' });
  return describeModel(dir);
}
