import { oneLine } from '../core/control-characters.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';

/** Why workers of the SDK could not be made, or ended by themselves, in a line instead of its own dump of a status. */
export function runFailure(error: unknown): unknown {
  if (isPrefetchError(error) || !(error instanceof Error)) return error;
  const status = /code: (?:'([^']+)'|"([^"]+)"|(\w+))[^]*?message: "([^"]*)"/.exec(error.message);
  if (status === null) return error;
  return new PrefetchError('ServerUnavailable', oneLine(error.message));
}
