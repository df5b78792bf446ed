import { readTemporalProfile } from '../../worker/temporal-profile.js';

/**
 * Whether the environment or a temporal.toml names a Temporal cluster, by the rules of the Temporal CLI.
 * @throws PrefetchError `InvalidInput` for a configuration that cannot be read: falling back to the embedded mode would
 *   put a model on the wrong machine
 */
export function isTemporalConfigured(): boolean {
  return readTemporalProfile().configured;
}
