import type { RequestPolicy, RetryPolicy } from '../../http/request-policy.js';
import { defaultLeastRate, type Patience } from '../../http/stall-watch.js';

/** How patient the engine is. */
export interface Policies extends Patience {
  readonly get: RetryPolicy;
  readonly put: RetryPolicy;
  /** For bytes in memory, while the store is away. */
  readonly outage: RetryPolicy;
}

/** Five tries to read a range, three to send a part; a store that is away is waited for, most of a minute on average. */
export const defaultPolicies: Policies = {
  get: { tries: 5, baseMs: 250, capMs: 5000, longestWaitMs: 10_000 },
  put: { tries: 3, baseMs: 250, capMs: 5000, longestWaitMs: 10_000 },
  outage: { tries: 10, baseMs: 250, capMs: 30_000, longestWaitMs: 60_000 },
  stallMs: 30_000,
  leastRate: defaultLeastRate,
};

/** How patient a read is. */
export function readPolicy({ get, stallMs, leastRate }: Policies): RequestPolicy {
  return { ...get, stallMs, leastRate };
}
