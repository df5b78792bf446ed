import { SimplePlugin } from '@temporalio/plugin';
import { createWaitActivities } from './activities/wait.js';

/**
 * For a user's own worker: adds the activity behind `ensureModel(…, { waitOn: 'own-queue' })` to it. The work itself
 * runs on the prefetch workers: `model-prefetch worker`, or those that `createWorkers()` starts in the same process.
 * A user's workflow module may also `export * from 'temporal-model-prefetch/workflows'`.
 */
export class ModelPrefetchPlugin extends SimplePlugin {
  constructor() {
    super({ name: 'temporal-model-prefetch', activities: { ...createWaitActivities() } });
  }
}
