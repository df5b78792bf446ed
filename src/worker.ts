/** What a worker process is made of: `temporal-model-prefetch/worker`. */
export { readSettings, type Settings } from './config/environment.js';
export { ROLES, type Role } from './core/queues.js';
export {
  createWorkers,
  type CreateWorkersOptions,
  type DeploymentOptions,
  type PrefetchWorkers,
} from './worker/create-workers.js';
export { checkWorker, type CheckWorkerOptions } from './worker/checks/check-worker.js';
