import type { Settings } from '../config/environment.js';
import { PrefetchError } from '../core/errors.js';
import type { CreateWorkersOptions } from './worker-options.js';

/** Worker Versioning as flags or the environment ask for it; a flag wins. `InvalidInput` for one without the other. */
export function readDeployment(
  flags: Pick<Settings, 'deploymentName' | 'buildId'>,
  settings: Pick<Settings, 'deploymentName' | 'buildId'>
): Pick<CreateWorkersOptions, 'workerDeploymentOptions'> {
  const deploymentName = flags.deploymentName ?? settings.deploymentName;
  const buildId = flags.buildId ?? settings.buildId;
  if (deploymentName === undefined && buildId === undefined) return {};
  if (deploymentName === undefined || buildId === undefined) {
    throw new PrefetchError(
      'InvalidInput',
      deploymentName === undefined
        ? '--deployment-name (TEMPORAL_DEPLOYMENT_NAME): missing, for a build ID is given'
        : '--build-id (TEMPORAL_WORKER_BUILD_ID): missing, for a deployment name is given'
    );
  }
  if (deploymentName.includes('.')) {
    throw new PrefetchError(
      'InvalidInput',
      '--deployment-name (TEMPORAL_DEPLOYMENT_NAME): expected a name without "."'
    );
  }
  return { workerDeploymentOptions: { version: { deploymentName, buildId }, useWorkerVersioning: true } };
}
