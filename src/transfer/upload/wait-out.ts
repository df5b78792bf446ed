import { isPrefetchError } from '../../core/errors.js';
import { waitBy, type RetryPolicy } from '../../http/request-policy.js';
import type { RetryOptions } from '../../tasks/retries.js';

/**
 * Waits longer for a store that is away than for anything else: the bytes are in memory, and would have to be fetched again
 * by whoever tries later.
 */
export function waitOut(outage: RetryPolicy, otherwise: RetryOptions['waitMs']): RetryOptions['waitMs'] {
  const wait = waitBy(outage);
  return (error, failures) =>
    isPrefetchError(error, 'StoreUnavailable') ? wait(error, failures) : otherwise(error, failures);
}
