import { createPermits } from '../../tasks/permits.js';
import type { Slab, SlabPool } from './slab-pool.js';

/** Slabs of a pool, never more than a limit at once. */
export interface LimitedSlabs {
  take(count: number, size: number, options: { readonly signal: AbortSignal }): Promise<Slab[]>;
}

/** Reading is faster than hashing and writing: without a limit what was read would wait in all the memory there is. */
export function limitSlabs(pool: Pick<SlabPool, 'takeSlabs'>, most: number): LimitedSlabs {
  const permits = createPermits(most);
  return {
    async take(count, size, options) {
      const releases = await permits.acquireTogether(count, 1, options);
      try {
        const slabs = await pool.takeSlabs(count, size, options);
        return slabs.map((slab, index) => ({
          bytes: slab.bytes,
          release() {
            slab.release();
            releases[index]?.();
          },
        }));
      } catch (error) {
        for (const release of releases) release();
        throw error;
      }
    },
  };
}
