import { setTimeout } from 'node:timers/promises';
import type { GiveWay } from './permits.js';

/** How tries end, and what happens between them. */
export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long to wait after a failure, of which there were so many by now; undefined where it is thrown. */
  readonly waitMs: (error: unknown, failures: number) => number | undefined;
  /** Runs each wait for the next try, so that nothing need be held meanwhile. */
  readonly giveWay?: GiveWay | undefined;
}

/** Tries again after failures that may pass. An abort between two tries is thrown with its own reason. */
export async function withRetries<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  const { signal, waitMs, giveWay = (wait: () => Promise<void>) => wait() } = options;
  for (let failures = 1; ; failures++) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const ms = signal?.aborted === true ? undefined : waitMs(error, failures);
      if (ms === undefined) throw error;
      // The failure of an aborted wait hides the reason; the next round throws it.
      await giveWay(() => setTimeout(ms, undefined, { signal }).catch(() => undefined));
    }
  }
}
