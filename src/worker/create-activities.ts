import type { Worker, WorkerOptions, WorkerPlugin } from '@temporalio/worker';
import type { Settings } from '../config/environment.js';
import { taskQueue, type Role } from '../core/queues.js';
import { createDependencies } from './dependencies.js';
import { checkingPlugin } from './finishing-plugin.js';
import { createHandOver } from './hand-over.js';
import { roleActivities, SLOTS } from './role-activities.js';
import { checkGpuIsServed } from './roles.js';
import { readTool } from './tool.js';
import { refusingUndecoded, roleTimes } from './worker-options.js';

/** Which activities are made. */
export interface CreateActivitiesOptions {
  readonly roles: readonly Role[];
  /** GPUs of this host, MODEL:COUNT, for the role 'gpu'. @default none: the queue of runs that name no GPU */
  readonly gpu?: string;
}

/** What `Worker.create()` needs for the queue of a role, besides a connection; spread it, and add what is yours. */
export interface RoleWorker {
  /** Where the workflow looks for the role: the base name for 'main', else the base name and the role. */
  readonly taskQueue: string;
  /** By their names on the wire, which the workflow calls. */
  readonly activities: object;
  /** How many run at once without harm to each other; leave it out for a tuner. */
  readonly maxConcurrentActivityTaskExecutions: number;
  readonly shutdownGraceTime: number;
  readonly shutdownForceTime: number;
  readonly maxHeartbeatThrottleInterval: NonNullable<WorkerOptions['maxHeartbeatThrottleInterval']>;
  readonly defaultHeartbeatThrottleInterval: NonNullable<WorkerOptions['defaultHeartbeatThrottleInterval']>;
  /** Fails a run whose input cannot be decoded, by name, where it would be tried again without an end; put yours before it. */
  readonly plugins: WorkerPlugin[];
  /** Activity interceptors for a quick end; put yours behind them. */
  readonly interceptors: { readonly activity: NonNullable<NonNullable<WorkerOptions['interceptors']>['activity']> };
}

/** The activities of a process, for workers that somebody else makes. */
export interface PrefetchActivitySet {
  /** By role, those that were asked for. */
  readonly workers: Readonly<Partial<Record<Role, RoleWorker>>>;
  /**
   * Watches the workers: once one of them shuts down, activities hand over what they do as soon as that loses nothing.
   * Without it the SDK cancels them after the grace. Returns how to stop watching.
   */
  readonly watch: (workers: readonly Pick<Worker, 'getState'>[]) => () => void;
  /** Closes the stores; to be called when the workers have ended. */
  readonly close: () => Promise<void>;
}

/**
 * Makes the activities of roles, for a worker of your own. All of one process share one transfer engine and one memory
 * budget, so call it once. The role 'main' needs the workflow too: \`export * from 'temporal-model-prefetch/workflows'\`.
 * @param settings - what the environment says; read it with \`readSettings()\`
 */
export function createActivities(settings: Settings, { roles, gpu }: CreateActivitiesOptions): PrefetchActivitySet {
  checkGpuIsServed(roles, gpu);
  const dependencies = createDependencies(settings, {
    embedded: false,
    tool: readTool(),
    ...(gpu === undefined ? {} : { gpu }),
  });
  const handOver = createHandOver(dependencies.engine);
  const workers = roles.map((role): [Role, RoleWorker] => [
    role,
    {
      ...roleTimes(role),
      taskQueue: taskQueue(settings.taskQueue, role, role === 'gpu' ? gpu : undefined),
      activities: roleActivities(role, dependencies),
      maxConcurrentActivityTaskExecutions: SLOTS[role],
      plugins: [checkingPlugin],
      interceptors: { activity: [refusingUndecoded, ...(handOver.options(role).interceptors?.activity ?? [])] },
    },
  ]);
  return {
    workers: Object.fromEntries(workers),
    watch: (made) => handOver.watch(made),
    close: () => dependencies.close(),
  };
}
