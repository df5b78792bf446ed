import { createPermits } from '../../tasks/permits.js';

/** Memory for reads that cannot go straight to their place. */
export interface Scratch {
  readonly count: number;
  /** Bytes of each. */
  readonly size: number;
  use(options: { readonly signal: AbortSignal }, work: (bytes: Uint8Array) => Promise<void>): Promise<void>;
}

/** So many buffers of equal size, lent one at a time; their memory is taken once, and only when it is needed. */
export function createScratch(count: number, size: number): Scratch {
  const permits = createPermits(count);
  const free: Uint8Array[] = [];
  return {
    count,
    size,
    async use(options, work) {
      const release = await permits.acquire(1, options);
      // Its own allocation, so that it starts at an address that every element type can start at.
      const bytes = free.pop() ?? Buffer.allocUnsafeSlow(size);
      try {
        await work(bytes);
      } finally {
        free.push(bytes);
        release();
      }
    },
  };
}
