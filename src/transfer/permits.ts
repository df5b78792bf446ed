/** A bounded amount of something, given out in the order of asking. */
export interface Permits {
  readonly inUse: number;
  readonly peak: number;
  /** Waits for an amount; the result gives it back, once. */
  acquire(amount: number, options: { readonly signal: AbortSignal }): Promise<() => void>;
  /** Waits until so many of an amount can be had at once; each result gives one of them back. */
  acquireTogether(count: number, amount: number, options: { readonly signal: AbortSignal }): Promise<(() => void)[]>;
}

/** Strictly first come, first served: a big request is never starved by small ones. */
export function createPermits(total: number): Permits {
  const queue: { readonly amount: number; readonly grant: () => void }[] = [];
  let inUse = 0;
  let peak = 0;

  function serve(): void {
    for (let first = queue[0]; first !== undefined && inUse + first.amount <= total; first = queue[0]) {
      queue.shift();
      inUse += first.amount;
      peak = Math.max(peak, inUse);
      first.grant();
    }
  }

  function giveBack(amount: number): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      inUse -= amount;
      serve();
    };
  }

  function acquireTogether(
    count: number,
    amount: number,
    { signal }: { readonly signal: AbortSignal }
  ): Promise<(() => void)[]> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        queue.splice(queue.indexOf(request), 1);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason of an abort is its caller's
        reject(signal.reason);
        // The one that gave up may have held back a smaller one.
        serve();
      };
      const request = {
        amount: count * amount,
        grant: () => {
          signal.removeEventListener('abort', onAbort);
          resolve(Array.from({ length: count }, () => giveBack(amount)));
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(request);
      serve();
    });
  }

  return {
    get inUse() {
      return inUse;
    },
    get peak() {
      return peak;
    },
    async acquire(amount, options) {
      const [release] = await acquireTogether(1, amount, options);
      return release ?? (() => undefined);
    },
    acquireTogether,
  };
}
