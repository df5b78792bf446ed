import type { PrefetchActivities } from '../core/contract.js';
import { authenticate } from '../steps/authenticate.js';
import type { ActivityDependencies } from '../steps/dependencies.js';
import { planPrefetch } from '../steps/plan-prefetch.js';
import { publishDir } from '../steps/publish-dir.js';
import { transferBatch } from '../steps/transfer-batch.js';
import { downloadAndUploadFile } from '../transfer/disk/download-and-upload.js';
import { adapt } from './adapt.js';
import { withHeartbeat } from './heartbeat.js';
import { withWarnings } from './with-warnings.js';

type LightActivities = Pick<PrefetchActivities, 'authenticate' | 'planPrefetch' | 'publishDir'>;
type TransferActivities = Pick<PrefetchActivities, 'streamFiles' | 'downloadAndUploadFiles'>;

/** Steps that move no model bytes. */
export function createLightActivities(given: ActivityDependencies): LightActivities {
  const dependencies = withWarnings(given);
  return {
    authenticate: (input) => adapt((signal) => authenticate(dependencies, input, { signal })),
    planPrefetch: (spec) => adapt((signal) => withHeartbeat(() => planPrefetch(dependencies, spec, { signal }))),
    publishDir: (spec, plan) =>
      adapt((signal) => withHeartbeat(() => publishDir(dependencies, spec, plan, { signal, now: new Date() }))),
  };
}

/** Steps that move model bytes. */
export function createTransferActivities(given: ActivityDependencies): TransferActivities {
  const dependencies = withWarnings(given);
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
