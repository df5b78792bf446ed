import { createContentHash } from '../../../src/transfer/digest/content-hash.js';
import type { ThreadHash } from '../../../src/transfer/threads/hash-thread.js';

/** A running digest on the spot: what another thread does would come at another moment each time. */
export function createThreadHash(...[algorithm, size]: Parameters<typeof createContentHash>): ThreadHash {
  const hash = createContentHash(algorithm, size);
  return {
    update: (bytes) => {
      hash.update(bytes);
      return Promise.resolve();
    },
    hex: () => Promise.resolve(hash.digest('hex')),
    drop: () => undefined,
  };
}
