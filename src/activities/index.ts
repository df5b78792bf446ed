import { Context } from '@temporalio/activity';
import type { PrefetchActivities, WaitActivities } from '../core/contract.js';
import { downloadAndUploadFile } from '../transfer/download-and-upload.js';
import { authenticate } from './authenticate.js';
import type { ActivityDependencies } from './dependencies.js';
import { ensureModel } from './ensure-model.js';
import { toFailure } from './failures.js';
import { withHeartbeat } from './heartbeat.js';
import { planPrefetch } from './plan-prefetch.js';
import { publishDir } from './publish-dir.js';
import { transferBatch } from './transfer-batch.js';

type LightActivities = Pick<PrefetchActivities, 'authenticate' | 'planPrefetch' | 'publishDir'>;
type TransferActivities = Pick<PrefetchActivities, 'streamFiles' | 'downloadAndUploadFiles'>;

/** Steps that move no model bytes. */
export function createLightActivities(dependencies: ActivityDependencies): LightActivities {
  return {
    authenticate: (input) => adapt((signal) => authenticate(dependencies, input, { signal })),
    planPrefetch: (spec) => adapt((signal) => withHeartbeat(() => planPrefetch(dependencies, spec, { signal }))),
    publishDir: (spec, plan) =>
      adapt((signal) => withHeartbeat(() => publishDir(dependencies, spec, plan, { signal, now: new Date() }))),
  };
}

/** Steps that move model bytes. */
export function createTransferActivities(dependencies: ActivityDependencies): TransferActivities {
  const { engine, scratchFolder: folder } = dependencies;
  return {
    streamFiles: (request) =>
      adapt((signal) =>
        withHeartbeat((onProgress) =>
          transferBatch({ ...dependencies, moveFile: (file, options) => engine.transferFile(file, options) }, request, {
            signal,
            onProgress,
          })
        )
      ),
    downloadAndUploadFiles: (request) =>
      adapt((signal) =>
        withHeartbeat((onProgress) =>
          transferBatch(
            {
              ...dependencies,
              moveFile: (file, options) => downloadAndUploadFile({ ...file, folder, engine }, options),
            },
            request,
            { signal, onProgress }
          )
        )
      ),
  };
}

/** The waiting side, for other people's workflows. */
export function createWaitActivities(): WaitActivities {
  return {
    ensureModel: (request) =>
      adapt((signal) =>
        withHeartbeat((report) =>
          ensureModel(request, {
            signal,
            onPoll: () => {
              report(request.taskQueue);
            },
          })
        )
      ),
  };
}

/** Gives an activity its signal and translates what it throws. */
async function adapt<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = Context.current().cancellationSignal;
  try {
    return await run(signal);
  } catch (error) {
    // A library's own AbortError would be told as a failure; the signal's reason says cancelled, paused or reset.
    signal.throwIfAborted();
    throw toFailure(error);
  }
}
