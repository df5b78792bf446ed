import { isPrefetchError, type PrefetchError } from '../core/errors.js';
import type { RetryOptions } from '../tasks/retries.js';
import type { Patience } from './stall-watch.js';

/** How often and how patiently something is tried. */
export interface RetryPolicy {
  readonly tries: number;
  /** Full jitter: each wait is anything from nothing to `baseMs` times two to the number of failures, up to `capMs`. */
  readonly baseMs: number;
  readonly capMs: number;
  /** A server that asks for a longer wait is left to the caller, who can wait without holding anything. */
  readonly longestWaitMs: number;
}

/** How patient one kind of request is. */
export type RequestPolicy = RetryPolicy & Patience;

/** What a connection is borne with, and nothing else. */
export function patienceOf({ stallMs, leastRate }: Patience): Patience {
  return { stallMs, leastRate };
}

/** How long to wait after a failure; undefined where the next try would fail too, or there were tries enough. */
export function waitBy(
  policy: RetryPolicy,
  isRetryable: (error: PrefetchError) => boolean = (error) => !error.permanent
): RetryOptions['waitMs'] {
  return (error, failures) => {
    if (!isPrefetchError(error) || !isRetryable(error) || failures >= policy.tries) return undefined;
    if (error.retryAfterMs !== undefined) {
      return error.retryAfterMs <= policy.longestWaitMs ? error.retryAfterMs : undefined;
    }
    return Math.random() * Math.min(policy.capMs, policy.baseMs * 2 ** (failures - 1));
  };
}
