import type {
  ActivityInterceptorsFactory,
  NativeConnection,
  WorkerOptions,
  WorkerPlugin,
  WorkerTuner,
} from '@temporalio/worker';
import { refuseUndecoded } from '../activities/refuse-undecoded.js';
import type { Settings } from '../config/environment.js';
import { taskQueue, type Role } from '../core/queues.js';
import { finishingPlugin, type WorkflowSource } from './finishing-plugin.js';
import { roleActivities, SLOTS } from './role-activities.js';
import type { HandOver } from './hand-over.js';
import type { WorkerDependencies } from './dependencies.js';
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
  /**
   * Codecs and converters, the same as those of clients. What they cannot decode fails as `InputNotDecoded`.
   * @default the SDK's: JSON, as it is
   */
  readonly dataConverter?: WorkerOptions['dataConverter'];
  /**
   * Interceptors of clients, activities and Nexus, added to those of this package, and modules with interceptors for the
   * workflow: with these the workflow is bundled at start (3 s), for a bundle that was made before cannot take them.
   * @default none
   */
  readonly interceptors?: WorkerOptions['interceptors'];
  /**
   * Temporal plugins; with any, the workflow is bundled at start (3 s), for they may add to it. One that brings workflows of
   * its own does not put them in place of ours. Those of the connection come after all of these: a converter that they bring
   * goes unchecked, and workflows that they bring replace ours. @default those of the connection
   */
  readonly plugins?: readonly WorkerPlugin[];
  /** What workflow interceptors may call outside of the sandbox. @default none */
  readonly sinks?: WorkerOptions['sinks'];
  /** Name of this process in histories and task queues. @default the SDK's: process ID and host */
  readonly identity?: string;
  /**
   * Who decides how many tasks run at once: one for every role but 'gpu', where vLLM takes the whole host, or a function of
   * the role. It takes the place of `maxConcurrentActivities`. @default none
   */
  readonly tuner?: WorkerTuner | ((role: Role) => WorkerTuner | undefined);
  /** How many activities of a role run at once. @default main 50, transfer 4, wait 2000, shard 2, gpu 1 */
  readonly maxConcurrentActivities?: Readonly<Partial<Record<Role, number>>>;
  /**
   * Deployment and build of these workers, for Worker Versioning. Where it names no behaviour, runs are AUTO_UPGRADE: each
   * release goes on with the runs of those before it. @default not versioned
   */
  readonly workerDeploymentOptions?: DeploymentOptions;
}

/** The SDK's `workerDeploymentOptions`, with a behaviour that may be left out. */
export interface DeploymentOptions {
  readonly version: { readonly deploymentName: string; readonly buildId: string };
  readonly useWorkerVersioning: boolean;
  readonly defaultVersioningBehavior?: 'PINNED' | 'AUTO_UPGRADE';
}

/** Enough for a part of the usual size over a slow line; what it cuts off is fetched again by the next worker. */
const GRACE_MS = 5_000;

/** The options of the worker of one role. */
export function workerOptions(
  options: CreateWorkersOptions,
  role: Role,
  { dependencies, handOver }: { readonly dependencies: WorkerDependencies; readonly handOver: HandOver | undefined }
): WorkerOptions {
  const graceMs = options.shutdownGraceMs ?? (options.embedded === true ? 0 : GRACE_MS);
  const source = role === 'main' ? sourceFor(options) : {};
  return {
    ...source,
    ...extensions(options),
    ...slots(options, role),
    activities: roleActivities(role, dependencies),
    interceptors: interceptors(options, handOver?.options(role)),
    // A guard has its own word for what it does not let in.
    plugins: [...(options.plugins ?? []), finishingPlugin(source, { check: options.guard === undefined })],
    connection: options.connection,
    namespace: options.namespace ?? 'default',
    ...roleTimes(role, graceMs),
    taskQueue: taskQueue(options.settings.taskQueue, role, role === 'gpu' ? options.gpu : undefined),
  };
}

/** How long the worker of a role takes to end, and how often it tells how far it is. */
export function roleTimes(role: Role, graceMs = GRACE_MS) {
  return {
    shutdownGraceTime: graceMs,
    // A transfer that does not stop when told must not keep the process for ever; vLLM has 20 s to put its things away.
    shutdownForceTime: graceMs + (role === 'gpu' ? 30_000 : 15_000),
    // The defaults would hold back a cancel, and the bytes that a progress bar shows, for most of a minute.
    // Waiters are many and have nothing to show: theirs would be a thousand calls a second.
    maxHeartbeatThrottleInterval: role === 'wait' ? '20s' : '2s',
    defaultHeartbeatThrottleInterval: role === 'wait' ? '20s' : '2s',
  } satisfies Partial<WorkerOptions>;
}

/** The bundle of the build knows nothing of what a user adds to the sandbox. */
function sourceFor({ plugins = [], connection, interceptors, dataConverter }: CreateWorkersOptions): WorkflowSource {
  const added =
    plugins.length + connection.plugins.length + (interceptors?.workflowModules?.length ?? 0) > 0 ||
    dataConverter?.payloadConverterPath !== undefined ||
    dataConverter?.failureConverterPath !== undefined;
  return workflowSource(undefined, { bundleAnew: added });
}

function extensions(options: CreateWorkersOptions): Partial<WorkerOptions> {
  const { sinks, identity, workerDeploymentOptions: deployment } = options;
  return {
    ...dataConverter(options),
    ...(sinks === undefined ? {} : { sinks }),
    ...(identity === undefined ? {} : { identity }),
    ...(deployment === undefined ? {} : { workerDeploymentOptions: deploymentOf(deployment) }),
  };
}

/** The seal comes last: it is put around what the codecs of a user made. */
function dataConverter({ dataConverter: own, guard }: CreateWorkersOptions): Pick<WorkerOptions, 'dataConverter'> {
  const seal = guard?.dataConverter;
  if (own === undefined && seal === undefined) return {};
  const payloadCodecs = [...(own?.payloadCodecs ?? []), ...(seal?.payloadCodecs ?? [])];
  return { dataConverter: { ...own, ...seal, payloadCodecs } };
}

function interceptors(
  { interceptors: own, guard }: CreateWorkersOptions,
  handOver: Pick<WorkerOptions, 'interceptors'> | undefined
): NonNullable<WorkerOptions['interceptors']> {
  const lists = [guard?.interceptors?.activity, handOver?.interceptors?.activity, own?.activity];
  return {
    ...own,
    activity: [refusingUndecoded, ...lists.flatMap((list) => list ?? [])],
  };
}

/** Keeps what this worker could not decode from its activities. */
export const refusingUndecoded: ActivityInterceptorsFactory = () => ({
  inbound: {
    execute: async (input, next) => {
      refuseUndecoded(input.args);
      return next(input);
    },
  },
});

function slots({ tuner, maxConcurrentActivities }: CreateWorkersOptions, role: Role): Partial<WorkerOptions> {
  const given = typeof tuner === 'function' ? tuner(role) : role === 'gpu' ? undefined : tuner;
  if (given !== undefined) return { tuner: given };
  return { maxConcurrentActivityTaskExecutions: maxConcurrentActivities?.[role] ?? SLOTS[role] };
}

function deploymentOf({
  version,
  useWorkerVersioning,
  defaultVersioningBehavior = 'AUTO_UPGRADE',
}: DeploymentOptions): NonNullable<WorkerOptions['workerDeploymentOptions']> {
  return useWorkerVersioning
    ? { version, useWorkerVersioning, defaultVersioningBehavior }
    : { version, useWorkerVersioning };
}
