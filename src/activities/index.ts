import type { BatchRequest, PrefetchActivities } from '../core/contract.js';
import { authenticate } from '../steps/authenticate.js';
import type { ActivityDependencies } from '../steps/dependencies.js';
import { planPrefetch } from '../steps/plan-prefetch.js';
import { publishDir } from '../steps/publish-dir.js';
import { transferBatch, type MoveFile } from '../steps/transfer-batch.js';
import { downloadAndUploadFile } from '../transfer/disk/download-and-upload.js';
import { adapt } from './adapt.js';
import { withHeartbeat } from './heartbeat.js';
import { planned, published, resolved, transferred } from './tellings.js';
import { told } from './told.js';
import { withWarnings } from './with-warnings.js';

type LightActivities = Pick<PrefetchActivities, 'authenticate' | 'planPrefetch' | 'publishDir'>;
type TransferActivities = Pick<PrefetchActivities, 'streamFiles' | 'downloadAndUploadFiles'>;

/** Steps that move no model bytes. */
export function createLightActivities(given: ActivityDependencies): LightActivities {
  const dependencies = withWarnings(given);
  return {
    authenticate: (input) => adapt((signal) => told(resolved, () => authenticate(dependencies, input, { signal }))),
    planPrefetch: (spec) =>
      adapt((signal) => told(planned(spec), () => withHeartbeat(() => planPrefetch(dependencies, spec, { signal })))),
    publishDir: (spec, plan) =>
      adapt((signal) =>
        told(published, () => withHeartbeat(() => publishDir(dependencies, spec, plan, { signal, now: new Date() })))
      ),
  };
}

/** Steps that move model bytes. */
export function createTransferActivities(given: ActivityDependencies): TransferActivities {
  const dependencies = withWarnings(given);
  const { engine, scratchFolder: folder } = dependencies;
  const move = (request: BatchRequest, moveFile: MoveFile) =>
    adapt((signal) =>
      told(transferred(request), () =>
        withHeartbeat((onProgress) => transferBatch({ ...dependencies, moveFile }, request, { signal, onProgress }))
      )
    );
  return {
    streamFiles: (request) => move(request, (file, options) => engine.transferFile(file, options)),
    downloadAndUploadFiles: (request) =>
      move(request, (file, options) => downloadAndUploadFile({ ...file, folder, engine }, options)),
  };
}
