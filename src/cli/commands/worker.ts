import type { LogLevel } from '../../config/worker-settings.js';
import { compact } from '../../core/compact.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { gpuSpec } from '../../core/schemas/input.js';
import { ToldFailure } from '../context.js';
import { describeFailure } from '../failure-text.js';
import type { WorkerOptions } from '../invocation.js';

/** Runs a worker until it is told to stop. */
export async function runWorkerCommand(options: WorkerOptions): Promise<void> {
  const { roles, gpu, taskQueue, exitWhenIdleMs, identity, deploymentName, buildId } = options;
  if (gpu !== undefined && !gpuSpec.safeParse(gpu).success) {
    throw new PrefetchError('InvalidInput', '--gpu: expected MODEL:COUNT such as "A100:4" or "L4:2"');
  }
  // Without the role nobody would serve the queue of these GPUs, and runs would wait for it without an end.
  if (gpu !== undefined && roles?.includes('gpu') !== true) {
    throw new PrefetchError('InvalidInput', '--gpu: it is for the role gpu, which must be asked for: add --roles gpu');
  }
  const { openProcessLog, runWorker } = await import('../../worker/run-worker.js');
  const { logFormat, logLevel = levelOf(options), checks } = options;
  const logging = compact({ logFormat, logLevel });
  const deployment = compact({ identity, deploymentName, buildId });
  try {
    await runWorker({ ...compact({ roles, gpu, taskQueue, exitWhenIdleMs, checks }), ...deployment, ...logging });
  } catch (error) {
    const log = openProcessLog(logging);
    // Whoever collects a log as JSON reads nothing else.
    if (log.format !== 'json') throw error;
    log.write('error', describeFailure(error, options), isPrefetchError(error) ? { code: error.code } : {});
    throw new ToldFailure(error);
  }
}

/** What `--verbose` and `--quiet` ask for, as a weight of the log. */
function levelOf({ verbose, quiet }: WorkerOptions): LogLevel | undefined {
  if (verbose) return 'debug';
  return quiet ? 'error' : undefined;
}
