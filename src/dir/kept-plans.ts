import type { RequestOptions } from '../storage/object-store.js';

const PLANS_KEPT = 4;

/** The plans that this process read last. */
export interface KeptPlans<T> {
  /** The plan of a key: kept, being read, or read now; undefined where the store has none. */
  get(key: string, read: () => Promise<T | undefined>, options: RequestOptions): Promise<T | undefined>;
}

/** Hundreds of steps share one plan, and a plan may have megabytes: the last few are kept. */
export function keepPlans<T>(): KeptPlans<T> {
  const plans = new Map<string, Promise<T | undefined>>();
  return {
    async get(key, read, { signal }) {
      // Read without the caller's signal: others wait for the same plan.
      const reading = plans.get(key) ?? read();
      plans.delete(key);
      plans.set(key, reading);
      reading.catch(() => plans.delete(key));
      for (const oldest of plans.keys()) {
        if (plans.size <= PLANS_KEPT) break;
        plans.delete(oldest);
      }
      const plan = await reading;
      signal?.throwIfAborted();
      // It may come yet.
      if (plan === undefined) plans.delete(key);
      return plan;
    },
  };
}
