import { setTimeout } from 'node:timers/promises';
import { isPrefetchError } from '../core/errors.js';

/** How often and how patiently something is tried. */
export interface RetryPolicy {
  readonly tries: number;
  /** Full jitter: each wait is anything from nothing to `baseMs` times two to the number of failures, up to `capMs`. */
  readonly baseMs: number;
  readonly capMs: number;
  /** A server that asks for a longer wait is left to the caller, who can wait without holding anything. */
  readonly longestWaitMs: number;
}

/** How tries end, and what happens between them. */
export interface RetryOptions {
  readonly signal: AbortSignal;
  readonly isFinal?: (error: unknown) => boolean;
  /** Runs each wait for the next try, so that nothing need be held meanwhile. */
  readonly giveWay?: ((wait: () => Promise<void>) => Promise<void>) | undefined;
}

/** Tries again on failures that may pass. */
export async function withRetries<T>(
  policy: RetryPolicy,
  options: RetryOptions,
  attempt: () => Promise<T>
): Promise<T> {
  const { signal, isFinal = () => false, giveWay = (wait: () => Promise<void>) => wait() } = options;
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const waitMs = waitBeforeNext(policy, failures, error);
      if (waitMs === undefined || signal.aborted || isFinal(error)) throw error;
      // The failure of an aborted wait hides the reason; the next round throws it.
      await giveWay(() => setTimeout(waitMs, undefined, { signal }).catch(() => undefined));
    }
  }
}

function waitBeforeNext(policy: RetryPolicy, failures: number, error: unknown): number | undefined {
  if (!isPrefetchError(error) || error.permanent || failures + 1 >= policy.tries) return undefined;
  if (error.retryAfterMs !== undefined) {
    return error.retryAfterMs <= policy.longestWaitMs ? error.retryAfterMs : undefined;
  }
  return Math.random() * Math.min(policy.capMs, policy.baseMs * 2 ** failures);
}
