import { Worker } from '@temporalio/worker';
import { PrefetchError } from '../core/errors.js';
import { DEFAULT_ROLES, type Role } from '../core/queues.js';
import { createDependencies, type WorkerDependencies } from './dependencies.js';
import { createHandOver, type HandOver } from './hand-over.js';
import { checkGpuIsServed } from './roles.js';
import { readTool } from './tool.js';
import { workerOptions, type CreateWorkersOptions } from './worker-options.js';

export type { CreateWorkersOptions, DeploymentOptions } from './worker-options.js';

/** The workers of one process, one for each role. */
export interface PrefetchWorkers {
  /** The task queues that they poll. */
  readonly queues: readonly string[];
  /** Runs until `shutdown()`, or until one of them fails: then the others are shut down and the error is thrown. */
  run(): Promise<void>;
  /** Whether none of them runs anything at this moment, be it an activity or a workflow task. */
  isIdle(): boolean;
  shutdown(): void;
}

/** Makes one Temporal worker per role, all over one connection, one transfer engine and one memory budget. */
export async function createWorkers(options: CreateWorkersOptions): Promise<PrefetchWorkers> {
  const roles = checkRoles(options.roles ?? DEFAULT_ROLES);
  checkGpuIsServed(roles, options.gpu);
  const dependencies = createDependencies(options.settings, {
    embedded: options.embedded === true,
    tool: readTool(),
    ...(options.gpu === undefined ? {} : { gpu: options.gpu }),
  });
  // Nobody goes on for an embedded one.
  const handOver = options.embedded === true ? undefined : createHandOver(dependencies.engine);
  try {
    const workers = await allOrNone(
      roles.map((role) => Worker.create(workerOptions(options, role, { dependencies, handOver })))
    );
    return {
      queues: workers.map(({ options: { taskQueue } }) => taskQueue),
      run: () => runAll(workers, dependencies, handOver),
      isIdle: () => workers.every(isIdle),
      shutdown: () => {
        shutdownAll(workers);
      },
    };
  } catch (error) {
    await dependencies.close();
    throw error;
  }
}

/** One that was made holds its queue and the connection until it has run: where another fails, it must not be left. */
async function allOrNone(making: readonly Promise<Worker>[]): Promise<Worker[]> {
  const settled = await Promise.allSettled(making);
  const made = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = settled.find((each) => each.status === 'rejected');
  if (failed === undefined) return made;
  await Promise.allSettled(made.map((worker) => worker.runUntil(Promise.resolve())));
  throw failed.reason;
}

function checkRoles(roles: readonly Role[]): readonly Role[] {
  if (roles.length > 0) return roles;
  throw new PrefetchError('InvalidInput', 'roles: expected at least one');
}

async function runAll(
  workers: readonly Worker[],
  dependencies: WorkerDependencies,
  handOver: HandOver | undefined
): Promise<void> {
  const running = workers.map(async (worker) => {
    try {
      await worker.run();
    } finally {
      // One that ends takes the others with it: half a worker would look healthy and do nothing.
      shutdownAll(workers);
    }
  });
  const stopWatching = handOver?.watch(workers);
  const settled = await Promise.allSettled(running);
  stopWatching?.();
  await dependencies.close();
  const failed = settled.find((worker) => worker.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

function isIdle(worker: Worker): boolean {
  const { numInFlightActivities, numInFlightWorkflowActivations } = worker.getStatus();
  return numInFlightActivities + numInFlightWorkflowActivations === 0;
}

function shutdownAll(workers: readonly Worker[]): void {
  for (const worker of workers) {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  }
}
