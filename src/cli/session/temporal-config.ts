import { access } from 'node:fs/promises';
import { loadClientConfigProfile } from '@temporalio/envconfig';
import type { Settings } from '../../config/environment.js';
import { PrefetchError } from '../../core/errors.js';

/**
 * Whether the environment or a temporal.toml names a Temporal cluster, by the rules of the Temporal CLI.
 * @throws PrefetchError `InvalidInput` for a configuration that cannot be read: falling back to the embedded mode would
 *   put a model on the wrong machine
 */
export async function isTemporalConfigured({ temporalConfigFile }: Settings): Promise<boolean> {
  if (temporalConfigFile !== undefined) {
    await access(temporalConfigFile).catch(() => {
      throw new PrefetchError('InvalidInput', `TEMPORAL_CONFIG_FILE: ${temporalConfigFile} cannot be read`);
    });
  }
  try {
    return Object.keys(loadClientConfigProfile()).length > 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PrefetchError('InvalidInput', `Temporal configuration (TEMPORAL_PROFILE, temporal.toml): ${reason}`);
  }
}
