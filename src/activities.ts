/** The activities, for people who assemble their own worker: `temporal-model-prefetch/activities`. */
export { readSettings, type Settings } from './config/environment.js';
export { ROLES, type Role } from './core/queues.js';
export {
  createActivities,
  type CreateActivitiesOptions,
  type PrefetchActivitySet,
  type RoleWorker,
} from './worker/create-activities.js';
