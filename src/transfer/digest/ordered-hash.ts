import type { ThreadHash } from '../threads/hash-thread.js';

/** Hashes parts in file order, whatever order they come in. */
export interface OrderedHash {
  /** Done when the bytes, and all before them, are hashed; they are not looked at afterwards, also when it fails. */
  add(partNumber: number, bytes: Uint8Array): Promise<void>;
  hex(): Promise<string>;
}

/** Starts with part 1. Parts that wait for one before them give up when the signal aborts. */
export function createOrderedHash(hash: ThreadHash, { signal }: { readonly signal: AbortSignal }): OrderedHash {
  let next = 1;
  const waiting = new Map<number, () => void>();
  signal.addEventListener('abort', () => {
    for (const wake of waiting.values()) wake();
  });

  return {
    async add(partNumber, bytes) {
      while (partNumber !== next && !signal.aborted) {
        await new Promise<void>((resolve) => waiting.set(partNumber, resolve));
      }
      waiting.delete(partNumber);
      signal.throwIfAborted();
      await hash.update(bytes);
      next++;
      waiting.get(next)?.();
    },
    hex: () => hash.hex(),
  };
}
