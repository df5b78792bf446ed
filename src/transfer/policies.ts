import type { RetryPolicy } from './retries.js';

/** How patient the mover is. */
export interface Policies {
  readonly get: RetryPolicy;
  readonly put: RetryPolicy;
  /** Longest silence of a connection. */
  readonly stallMs: number;
}

/** Five tries to read a range, three to send a part. */
export const defaultPolicies: Policies = {
  get: { tries: 5, baseMs: 250, capMs: 5000, longestWaitMs: 10_000 },
  put: { tries: 3, baseMs: 250, capMs: 5000, longestWaitMs: 10_000 },
  stallMs: 30_000,
};
