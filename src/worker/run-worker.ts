import { Runtime } from '@temporalio/worker';
import { readSettings } from '../config/environment.js';
import type { Role } from '../core/queues.js';
import { connectToTemporal } from './connect.js';
import { createWorkers } from './create-workers.js';
import { readDeployment } from './deployment.js';
import { loadExtensions } from './extensions.js';
import { shutdownWhenIdle } from './shutdown-when-idle.js';

/** What the command line may say about a worker; the environment says the rest. */
export interface RunWorkerOptions {
  readonly roles?: readonly Role[];
  readonly gpu?: string;
  readonly taskQueue?: string;
  /** Name of this process in histories and task queues. */
  readonly identity?: string;
  /** Worker Versioning, where the environment does not say it. */
  readonly deploymentName?: string;
  readonly buildId?: string;
  /** Ends the process after so long without a task. @default never */
  readonly exitWhenIdleMs?: number;
  /** Called once the workers were made and begin to poll, with the queues that they serve. */
  readonly onReady?: (queues: readonly string[]) => void;
}

/** A worker process, from the environment to its end: SIGINT or SIGTERM lets running parts finish, then it stops. */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const environment = readSettings();
  const settings = { ...environment, taskQueue: options.taskQueue ?? environment.taskQueue };
  const deployment = readDeployment(options, settings);
  const extensions = await loadExtensions(settings);
  // The SDK shuts its workers down on these signals by itself.
  Runtime.install({ shutdownSignals: ['SIGINT', 'SIGTERM', 'SIGQUIT'] });
  const { connection, namespace } = await connectToTemporal(extensions);
  try {
    const workers = await createWorkers({
      connection,
      namespace,
      settings,
      ...extensions,
      ...deployment,
      ...(options.identity === undefined ? {} : { identity: options.identity }),
      ...(options.roles === undefined ? {} : { roles: options.roles }),
      ...(options.gpu === undefined ? {} : { gpu: options.gpu }),
    });
    options.onReady?.(workers.queues);
    const stopWatching =
      options.exitWhenIdleMs === undefined ? undefined : shutdownWhenIdle(workers, options.exitWhenIdleMs);
    await workers.run().finally(stopWatching);
  } finally {
    await connection.close();
  }
}
