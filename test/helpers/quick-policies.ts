import { defaultPolicies, type Policies } from '../../src/transfer/budget/policies.js';

/** Waits that a test can sit out. */
export const quickPolicies: Policies = {
  get: { tries: 5, baseMs: 1, capMs: 10, longestWaitMs: 50 },
  put: { tries: 3, baseMs: 1, capMs: 10, longestWaitMs: 50 },
  outage: { tries: 3, baseMs: 1, capMs: 10, longestWaitMs: 50 },
  stallMs: 10_000,
  leastRate: defaultPolicies.leastRate,
};
