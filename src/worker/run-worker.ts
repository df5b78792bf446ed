import { readSettings, type Settings } from '../config/environment.js';
import { unknownVariables } from '../config/variables.js';
import { readWorkerSettings, type WorkerSettings } from '../config/worker-settings.js';
import { compact } from '../core/compact.js';
import { DEFAULT_ROLES, type Role } from '../core/queues.js';
import { unlessAborted } from '../tasks/unless-aborted.js';
import { checkWorker } from './checks/check-worker.js';
import { connectToTemporal, type TemporalTarget } from './connect.js';
import { createWorkers, type CreateWorkersOptions } from './create-workers.js';
import { readDeployment } from './deployment.js';
import { loadExtensions, type Extensions } from './extensions.js';
import { installLog } from './log/install-log.js';
import { openWorkerLog, type WorkerLog } from './log/worker-log.js';
import { checkGpuIsServed } from './roles.js';
import { runFailure } from './run-failure.js';
import { shutdownWhenIdle } from './shutdown-when-idle.js';

/** What the command line may say about a worker; the environment says the rest. */
export interface RunWorkerOptions extends Partial<WorkerSettings> {
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
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const;

/**
 * A worker process, from the environment to its end: it checks what it needs, takes work, and on SIGINT or SIGTERM lets
 * running parts finish and stops.
 */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { checks } = { ...readWorkerSettings(), ...options };
  const log = openProcessLog(options);
  const environment = readSettings();
  const settings = { ...environment, taskQueue: options.taskQueue ?? environment.taskQueue };
  checkGpuIsServed(options.roles, options.gpu);
  const deployment = readDeployment(options, settings);
  const extensions = await loadExtensions(settings);
  installLog(log);
  for (const text of unknownVariables()) log.write('warn', text);
  const stop = listenForStop();
  try {
    const temporal = await unlessAborted(connectToTemporal(extensions), stop);
    try {
      if (checks) await check(settings, { ...options, ...temporal, log, signal: stop.signal });
      await serve(settings, { ...options, ...temporal, log, signal: stop.signal }, { ...extensions, ...deployment });
    } finally {
      await temporal.connection.close();
    }
    log.write('info', 'Stopped');
  } catch (error) {
    if (error !== stop.signal.reason) throw error;
    log.write('info', 'Stopped before it took any work');
  } finally {
    stop.dispose();
  }
}

/** The log of a worker process, on stderr, as the command line or the environment asks for it. */
export function openProcessLog(options: Partial<WorkerSettings>): WorkerLog {
  const { logFormat: format, logLevel: level } = { ...readWorkerSettings(), ...options };
  return openWorkerLog({ format, level, out: (line) => void process.stderr.write(line) });
}

type Running = RunWorkerOptions &
  Pick<TemporalTarget, 'connection' | 'namespace'> & {
    readonly log: WorkerLog;
    readonly signal: AbortSignal;
  };

async function check(settings: Settings, running: Running): Promise<void> {
  const { roles = DEFAULT_ROLES, connection, namespace, log, signal } = running;
  const warn = (text: string) => {
    log.write('warn', text);
  };
  const checked = await checkWorker({ settings, roles, connection, namespace, signal, warn });
  log.write('info', `Checked: ${checked.join(', ')}`, { checked });
}

async function serve(
  settings: Settings,
  running: Running,
  extras: Extensions & Pick<CreateWorkersOptions, 'workerDeploymentOptions'>
): Promise<void> {
  const { roles, gpu, identity, connection, namespace, log, signal, exitWhenIdleMs } = running;
  const workers = await createWorkers({
    connection,
    namespace,
    settings,
    ...extras,
    ...compact({ roles, gpu, identity }),
  }).catch((error: unknown) => {
    throw runFailure(error);
  });
  const { queues } = workers;
  signal.addEventListener('abort', () => {
    log.write('info', 'Stopping: parts in flight may land, and the rest is handed over');
  });
  const whenIdle = () => {
    log.write('info', 'Stopping: nothing to do for as long as --exit-when-idle says');
    workers.shutdown();
  };
  log.write('info', `Polling ${queues.join(', ')}`, { roles: roles ?? DEFAULT_ROLES, queues, namespace });
  const ended = workers.run();
  // The SDK tells its workers of a signal, but not those that were made after it.
  if (signal.aborted) workers.shutdown();
  const stopWatching =
    exitWhenIdleMs === undefined
      ? undefined
      : shutdownWhenIdle({ isIdle: () => workers.isIdle(), shutdown: whenIdle }, exitWhenIdleMs);
  try {
    await ended;
  } catch (error) {
    throw runFailure(error);
  } finally {
    stopWatching?.();
  }
}

/** Aborts when the process is told to stop, whatever it does at that moment. */
function listenForStop(): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const onSignal = () => {
    controller.abort(new Error('The worker was told to stop'));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
