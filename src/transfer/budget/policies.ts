import type { RequestPolicy, RetryPolicy } from '../../http/request-policy.js';
import { defaultLeastRate, type Patience } from '../../http/stall-watch.js';

/** How patient the engine is. */
export interface Policies extends Patience {
  readonly get: RetryPolicy;
  readonly put: RetryPolicy;
}

/** Five tries to read a range, three to send a part. */
export const defaultPolicies: Policies = {
  get: { tries: 5, baseMs: 250, capMs: 5000, longestWaitMs: 10_000 },
  put: { tries: 3, baseMs: 250, capMs: 5000, longestWaitMs: 10_000 },
  stallMs: 30_000,
  leastRate: defaultLeastRate,
};

/** How patient a read is. */
export function readPolicy({ get, stallMs, leastRate }: Policies): RequestPolicy {
  return { ...get, stallMs, leastRate };
}
