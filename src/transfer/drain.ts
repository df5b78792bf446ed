import { setTimeout as delay } from 'node:timers/promises';
import type { Permits } from './permits.js';

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

export function createDrain(): Drain {
  const watched: Permits[] = [];
  let closed = false;
  const isIdle = (): boolean => watched.every(({ inUse }) => inUse === 0);
  return {
    closable(permits) {
      watched.push(permits);
      const acquireTogether: Permits['acquireTogether'] = async (count, amount, options) => {
        const given = await permits.acquireTogether(count, amount, options);
        if (!closed) return given;
        for (const giveBack of given) giveBack();
        return untilAborted(options.signal);
      };
      return {
        get inUse() {
          return permits.inUse;
        },
        get peak() {
          return permits.peak;
        },
        acquireTogether,
        acquire: async (amount, options) => {
          const [giveBack] = await acquireTogether(1, amount, options);
          return giveBack ?? (() => undefined);
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

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = (): void => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason of an abort is its caller's
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
