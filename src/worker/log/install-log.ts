import { Runtime } from '@temporalio/worker';
import { sdkLogger } from './sdk-logger.js';
import type { WorkerLog } from './worker-log.js';

/**
 * Makes a log that of the whole process, native parts of the SDK too. For processes that are ours alone, before their first
 * connection: the SDK takes one runtime a process, and elsewhere the application decides.
 */
export function installLog(log: WorkerLog): void {
  Runtime.install({
    logger: sdkLogger(log),
    telemetryOptions: { logging: { forward: {}, filter: log.level === 'debug' ? 'INFO' : 'WARN' } },
    // The SDK shuts its workers down on these signals by itself.
    shutdownSignals: ['SIGINT', 'SIGTERM', 'SIGQUIT'],
  });
}
