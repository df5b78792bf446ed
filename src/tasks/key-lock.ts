import { createPermits, type Permits, type Release } from './permits.js';

/** One at a time for each key, in the order of asking. */
export interface KeyLock {
  /** Waits until the key is free; the result releases it, once. */
  acquire(key: string, options: { readonly signal: AbortSignal }): Promise<Release>;
  /** Whether somebody has the key, or waits for it. */
  isTaken(key: string): boolean;
}

/** A lock inside this process, which knows nothing of keys that nobody has. */
export function createKeyLock(): KeyLock {
  const taken = new Map<string, Permits>();
  return {
    async acquire(key, options) {
      options.signal.throwIfAborted();
      const permits = taken.get(key) ?? createPermits(1);
      taken.set(key, permits);
      const release = await permits.acquire(1, options);
      return () => {
        release();
        // Whoever waits has it by now. A release that comes twice may find another one's.
        if (permits.inUse === 0 && taken.get(key) === permits) taken.delete(key);
      };
    },
    isTaken: (key) => taken.has(key),
  };
}
