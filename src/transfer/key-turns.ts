import { createPermits, type Permits } from './permits.js';

/** One transfer at a time for each object, in the order of asking. */
export interface KeyTurns {
  /** Waits for the turn of an object; the result gives it back, once. */
  take(url: string, options: { readonly signal: AbortSignal }): Promise<() => void>;
}

/**
 * Runs with different IDs may bring the same Dir, and an attempt that was given up may still be at work: who comes second
 * waits, and finds what the first one brought.
 */
export function createKeyTurns(): KeyTurns {
  const queues = new Map<string, { readonly permits: Permits; users: number }>();
  return {
    take: async (url, options) => {
      const queue = queues.get(url) ?? { permits: createPermits(1), users: 0 };
      queues.set(url, queue);
      queue.users += 1;
      const leave = () => {
        if (--queue.users === 0) queues.delete(url);
      };
      try {
        const giveBack = await queue.permits.acquire(1, options);
        return () => {
          giveBack();
          leave();
        };
      } catch (error) {
        leave();
        throw error;
      }
    },
  };
}
