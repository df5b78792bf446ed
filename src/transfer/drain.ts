import { setTimeout as delay } from 'node:timers/promises';
import type { Permits } from '../tasks/permits.js';
import { unlessAborted } from '../tasks/unless-aborted.js';

/** A way to end that loses nothing: what is in flight lands, and nothing new takes off. */
export interface Drain {
  /** Permits of the same amount that are given to nobody any more once the drain began. */
  closable(permits: Permits): Permits;
  /** Permits that are given on, and waited for. */
  watched(permits: Permits): Permits;
  /** From now on whoever asks waits until its signal aborts; resolves when all that was given out is back. */
  begin(): Promise<void>;
}

const LOOK_EVERY_MS = 25;

/** Watches all permits that are made through it. */
export function createDrain(): Drain {
  const watched: Permits[] = [];
  let closed = false;
  const isIdle = (): boolean => watched.every(({ inUse }) => inUse === 0);
  return {
    closable(permits) {
      watched.push(permits);
      return {
        get inUse() {
          return permits.inUse;
        },
        async acquire(amount, options) {
          const release = await permits.acquire(amount, options);
          if (!closed) return release;
          release();
          return unlessAborted(new Promise<never>(() => undefined), options);
        },
      };
    },
    watched(permits) {
      watched.push(permits);
      return permits;
    },
    async begin() {
      closed = true;
      // A part that was read is handed from one kind of permits to the next: idle is what is so at two looks.
      for (let looks = 0; looks < 2; looks = isIdle() ? looks + 1 : 0)
        await delay(LOOK_EVERY_MS, undefined, { ref: false });
    },
  };
}
