import type { WaitActivities } from '../core/contract.js';
import { adapt } from './adapt.js';
import { ensureModel } from './ensure-model.js';
import { withHeartbeat } from './heartbeat.js';
import { awaited } from './tellings.js';
import { told } from './told.js';

/** The waiting side, for other people's workflows. */
export function createWaitActivities(): WaitActivities {
  return {
    ensureModel: (request) =>
      adapt((signal) =>
        told(awaited, () =>
          withHeartbeat((report) =>
            ensureModel(request, {
              signal,
              onProgress: report,
            })
          )
        )
      ),
  };
}
