import { createLightActivities, createTransferActivities } from '../activities/index.js';
import {
  createLightShardActivities,
  createNativeShardActivities,
  createVllmActivities,
} from '../activities/shard-activities.js';
import { createWaitActivities } from '../activities/wait.js';
import type { Role } from '../core/queues.js';
import type { ActivityDependencies } from '../steps/dependencies.js';

/** How many activities a worker of each role runs at once. */
export const SLOTS: Readonly<Record<Role, number>> = {
  main: 50,
  // The engine shares its lanes and memory among them; a few at once keep the lanes busy between files.
  transfer: 4,
  wait: 2000,
  // Parts of a model take turns at the memory; the second is read while the first is completed.
  shard: 2,
  // vLLM takes the whole host.
  gpu: 1,
};

/** The activities that the queue of a role needs, by their names on the wire. */
export function roleActivities(role: Role, dependencies: ActivityDependencies): object {
  switch (role) {
    case 'main':
      return { ...createLightActivities(dependencies), ...createLightShardActivities(dependencies) };
    case 'transfer':
      return createTransferActivities(dependencies);
    case 'wait':
      return createWaitActivities();
    case 'shard':
      return createNativeShardActivities(dependencies);
    case 'gpu':
      return createVllmActivities(dependencies);
  }
}
