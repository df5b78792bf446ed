import { createRequire } from 'node:module';
import type { NativeConnection } from '@temporalio/worker';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import { createLightActivities, createTransferActivities } from '../activities/index.js';
import {
  createLightShardActivities,
  createNativeShardActivities,
  createVllmActivities,
} from '../activities/shard-activities.js';
import { createWaitActivities } from '../activities/wait.js';
import type { Settings } from '../config/environment.js';
import { PrefetchError } from '../core/errors.js';
import { DEFAULT_ROLES, taskQueue, type Role } from '../core/queues.js';
import { createDependencies, type WorkerDependencies } from './dependencies.js';
import { createHandOver, type HandOver } from './hand-over.js';
import { checkGpuIsServed } from './roles.js';
import { workflowSource } from './workflow-source.js';

/** What the workers of one process are made with. */
export interface CreateWorkersOptions {
  readonly connection: NativeConnection;
  /** @default 'default' */
  readonly namespace?: string;
  /** What the environment says; read it with `readSettings()`. */
  readonly settings: Settings;
  /** Which queues this process serves. @default every role but 'gpu' */
  readonly roles?: readonly Role[];
  /** GPUs of this host, MODEL:COUNT, for the role 'gpu'. @default none: the queue of runs that name no GPU */
  readonly gpu?: string;
  /** The one process of one user on one machine: it may write anywhere, files too, and stops at once. */
  readonly embedded?: boolean;
  /** What checks the payloads of all workers, where anybody may reach their server. @default nothing */
  readonly guard?: Pick<WorkerOptions, 'dataConverter' | 'interceptors'>;
  /**
   * How long parts in flight and short steps may take after a shutdown was asked for: what has nothing in flight is handed
   * over at once. @default 5 s; none when embedded
   */
  readonly shutdownGraceMs?: number;
}

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

/** Enough for a part of the usual size over a slow line; what it cuts off is fetched again by the next worker. */
const GRACE_MS = 5_000;

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
      roles.map((role) =>
        Worker.create({
          ...commonOptions(options, role),
          ...roleOptions(role, dependencies),
          ...handOver?.options(role),
        })
      )
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

function commonOptions(options: CreateWorkersOptions, role: Role) {
  const graceMs = options.shutdownGraceMs ?? (options.embedded === true ? 0 : GRACE_MS);
  return {
    ...options.guard,
    connection: options.connection,
    namespace: options.namespace ?? 'default',
    taskQueue: taskQueue(options.settings.taskQueue, role, role === 'gpu' ? options.gpu : undefined),
    shutdownGraceTime: graceMs,
    // A transfer that does not stop when told must not keep the process for ever; vLLM has 20 s to put its things away.
    shutdownForceTime: graceMs + (role === 'gpu' ? 30_000 : 15_000),
    // The defaults would hold back a cancel, and the bytes that a progress bar shows, for most of a minute.
    // Waiters are many and have nothing to show: theirs would be a thousand calls a second.
    maxHeartbeatThrottleInterval: role === 'wait' ? '20s' : '2s',
    defaultHeartbeatThrottleInterval: role === 'wait' ? '20s' : '2s',
  } satisfies WorkerOptions;
}

function roleOptions(role: Role, dependencies: WorkerDependencies): Partial<WorkerOptions> {
  switch (role) {
    case 'main':
      return {
        ...workflowSource(),
        activities: { ...createLightActivities(dependencies), ...createLightShardActivities(dependencies) },
        maxConcurrentActivityTaskExecutions: 50,
      };
    case 'wait':
      return { activities: createWaitActivities(), maxConcurrentActivityTaskExecutions: 2000 };
    case 'shard':
      // Parts of a model take turns at the memory; the second is read while the first is completed.
      return { activities: createNativeShardActivities(dependencies), maxConcurrentActivityTaskExecutions: 2 };
    case 'gpu':
      // vLLM takes the whole host.
      return { activities: createVllmActivities(dependencies), maxConcurrentActivityTaskExecutions: 1 };
    case 'transfer':
      // The engine shares its lanes and memory among them; a few at once keep the lanes busy between files.
      return { activities: createTransferActivities(dependencies), maxConcurrentActivityTaskExecutions: 4 };
  }
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

function readTool(): { name: string; version: string } {
  const tool: unknown = createRequire(import.meta.url)('../../package.json');
  const version =
    typeof tool === 'object' && tool !== null && 'version' in tool && typeof tool.version === 'string'
      ? tool.version
      : 'unknown';
  return { name: 'temporal-model-prefetch', version };
}
