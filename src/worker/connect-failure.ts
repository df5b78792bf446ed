import { oneLine } from '../core/control-characters.js';
import { PrefetchError } from '../core/errors.js';
import type { TemporalProfile } from './temporal-profile.js';

/** The failure to connect, in a line that names what to look at. */
export function connectFailure(error: unknown, { address }: TemporalProfile): PrefetchError {
  return new PrefetchError(
    'ServerUnavailable',
    `No Temporal server answers at ${address} (${oneLine(error instanceof Error ? error.message : String(error))}).`
  );
}
