import { PrefetchError } from '../../core/errors.js';
import { createPermits, type AskOptions, type Claimant, type Release } from '../../tasks/permits.js';
import { sharedBuffer } from '../threads/worker-thread.js';

/** Memory for one part. */
export interface Slab {
  readonly bytes: Uint8Array;
  /** The memory must not be touched any more. */
  release(): void;
}

/** All the memory that may hold file bytes in this process. */
export interface SlabPool {
  readonly budgetBytes: number;
  readonly inUseBytes: number;
  readonly peakBytes: number;
  /** Waits for memory of a part. */
  takeSlab(size: number, options: AskOptions): Promise<Slab>;
  /** Waits for memory of several parts at once: who holds some of them and waits for the rest may wait for ever. */
  takeSlabs(count: number, size: number, options: AskOptions): Promise<Slab[]>;
  /** Waits for room for bytes that somebody else allocates. */
  reserve(size: number, options: AskOptions): Promise<Release>;
}

/** Permits come before bytes: where the budget is used up, nothing is read. `reserve` is as that of permits. */
export function createSlabPool(budgetBytes: number, shares: { readonly reserve?: number } = {}): SlabPool {
  const permits = createPermits(budgetBytes, shares);
  // Slabs are kept for the next part: fresh memory costs a page fault per 4 KiB.
  const kept: Uint8Array[] = [];
  let keptBytes = 0;
  // Less than what is permitted: whoever just got a permit takes a kept slab a moment later.
  let liveBytes = 0;

  function dropSlabs(): void {
    while (keptBytes + liveBytes > budgetBytes) keptBytes -= kept.shift()?.length ?? keptBytes;
  }

  async function permit(count: number, size: number, options: AskOptions): Promise<Release[]> {
    const wanted = count * size;
    if (wanted > budgetBytes) {
      throw new PrefetchError(
        'InvalidInput',
        `Parts of ${wanted} bytes do not fit into the memory for transfers, ${budgetBytes} bytes: ` +
          `set MODEL_PREFETCH_MEMORY to ${wanted} or more`
      );
    }
    const permitted = await permits.acquireTogether(count, size, options);
    liveBytes += wanted;
    return permitted.map((release) => {
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        liveBytes -= size;
        release();
      };
    });
  }

  function takeKept(size: number, release: Release): Slab {
    const position = kept.findIndex(({ length }) => length === size);
    const bytes = position < 0 ? sharedBuffer(size) : kept.splice(position, 1)[0];
    if (bytes === undefined) throw new PrefetchError('Internal', 'A kept slab is gone');
    if (position >= 0) keptBytes -= size;
    dropSlabs();
    let held = true;
    return {
      bytes,
      release() {
        if (!held) return;
        held = false;
        kept.push(bytes);
        keptBytes += size;
        release();
      },
    };
  }

  async function takeSlabs(count: number, size: number, options: AskOptions): Promise<Slab[]> {
    return (await permit(count, size, options)).map((release) => takeKept(size, release));
  }

  return {
    budgetBytes,
    get inUseBytes() {
      return permits.inUse;
    },
    get peakBytes() {
      return permits.peak;
    },
    async reserve(size, options) {
      const [release] = await permit(1, size, options);
      dropSlabs();
      return release ?? (() => undefined);
    },
    async takeSlab(size, options) {
      const [slab] = await takeSlabs(1, size, options);
      if (slab === undefined) throw new PrefetchError('Internal', 'A permitted slab is gone');
      return slab;
    },
    takeSlabs,
  };
}

/** The same memory, asked for in the name of one claimant. */
export function slabPoolOf(pool: SlabPool, claimant: Claimant): SlabPool {
  return {
    budgetBytes: pool.budgetBytes,
    get inUseBytes() {
      return pool.inUseBytes;
    },
    get peakBytes() {
      return pool.peakBytes;
    },
    takeSlab: (size, { signal }) => pool.takeSlab(size, { signal, claimant }),
    takeSlabs: (count, size, { signal }) => pool.takeSlabs(count, size, { signal, claimant }),
    reserve: (size, { signal }) => pool.reserve(size, { signal, claimant }),
  };
}
