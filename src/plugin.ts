import type { DataConverter } from '@temporalio/common';
import { SimplePlugin, type SimplePluginOptions } from '@temporalio/plugin';
import { createWaitActivities } from './activities/wait.js';
import type { PrefetchActivitySet } from './worker/create-activities.js';

/** What the plugin adds besides the wait; all that a `SimplePlugin` takes, added to what the worker or client has. */
export interface ModelPrefetchPluginOptions extends Omit<SimplePluginOptions, 'name'> {
  /**
   * The activities of roles, from `createActivities()` of `temporal-model-prefetch/activities`: for a worker on their queue.
   * They are closed when the worker has ended. @default none: the work runs on the prefetch workers
   */
  readonly prefetch?: PrefetchActivitySet;
}

/**
 * For a user's own worker: adds the activity behind `ensureModel(…, { waitOn: 'own-queue' })` to it. The work itself
 * runs on the prefetch workers: `model-prefetch worker`, or those that `createWorkers()` starts in the same process.
 * A user's workflow module may also `export * from 'temporal-model-prefetch/workflows'`.
 */
export class ModelPrefetchPlugin extends SimplePlugin {
  constructor({ prefetch, activities, dataConverter, runContext, ...options }: ModelPrefetchPluginOptions = {}) {
    const roles = Object.values(prefetch?.workers ?? {}).map((worker) => worker.activities);
    const run = runContext ?? ((next) => next());
    super({
      ...options,
      name: 'temporal-model-prefetch',
      activities: (existing) => {
        // An object, for all that the types know of it, may be a function too.
        const given: unknown =
          typeof activities === 'function'
            ? Reflect.apply(activities, undefined, [existing])
            : { ...activities, ...existing };
        const added = typeof given === 'object' ? given : {};
        return { ...roles.reduce<object>((all, each) => ({ ...all, ...each }), createWaitActivities()), ...added };
      },
      ...(dataConverter === undefined ? {} : { dataConverter: (existing) => withConverter(existing, dataConverter) }),
      runContext: async (next) => {
        try {
          await run(next);
        } finally {
          await prefetch?.close();
        }
      },
    });
  }
}

/** What the worker or client has counts; codecs of the plugin go around what its own made. */
function withConverter(
  existing: DataConverter | undefined,
  added: NonNullable<SimplePluginOptions['dataConverter']>
): DataConverter {
  if (typeof added === 'function') return added(existing);
  const payloadCodecs = [...(existing?.payloadCodecs ?? []), ...(added.payloadCodecs ?? [])];
  return { ...added, ...existing, payloadCodecs };
}
