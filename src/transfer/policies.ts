import { defaultLeastRate, type Patience } from '../http/stall-watch.js';
import type { RetryPolicy } from './retries.js';

/** How patient the mover is. */
export interface Policies extends Patience {
  readonly get: RetryPolicy;
  readonly put: RetryPolicy;
}

/** How patient one kind of request is. */
export type RequestPolicy = RetryPolicy & Patience;

/** What a connection is borne with, and nothing else. */
export function patienceOf({ stallMs, leastRate }: Patience): Patience {
  return { stallMs, leastRate };
}

/** Five tries to read a range, three to send a part. */
export const defaultPolicies: Policies = {
  get: { tries: 5, baseMs: 250, capMs: 5000, longestWaitMs: 10_000 },
  put: { tries: 3, baseMs: 250, capMs: 5000, longestWaitMs: 10_000 },
  stallMs: 30_000,
  leastRate: defaultLeastRate,
};
