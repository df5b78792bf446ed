import type { Digest } from '../../core/digest.js';
import { asSharedBytes, createThreadPool } from './worker-thread.js';

/** A running digest in another thread: hashing is the dearest work on the way of the bytes, and lanes must not wait for it. */
export interface ThreadHash {
  /** Done when the bytes are hashed; one call at a time. Their memory must be shared memory. */
  update(bytes: Uint8Array): Promise<void>;
  hex(): Promise<string>;
  /** Gives it up; nothing may follow. */
  drop(): void;
}

/** A digest of a file's content as the Hub counts it, in the thread that has the least to do. */
export function createThreadHash(algorithm: Digest['algorithm'], size: number): ThreadHash {
  const { thread, release } = threads.acquire();
  const id = ++lastId;
  thread.tell(
    algorithm === 'sha256' ? { id, algorithm: 'sha256' } : { id, algorithm: 'sha1', first: `blob ${size}\0` }
  );
  return {
    update: async (bytes) => {
      await thread.ask({ id, ...asSharedBytes(bytes) });
    },
    hex: async () => String(await thread.ask({ id, end: true })),
    drop: () => {
      if (release()) thread.tell({ id, drop: true });
    },
  };
}

let lastId = 0;

const CODE = `
const { createHash } = require('node:crypto');
const hashes = new Map();
serve(({ id, algorithm, first, memory, start, length, end, drop }) => {
  if (algorithm !== undefined) {
    const hash = createHash(algorithm);
    if (first !== undefined) hash.update(first);
    hashes.set(id, hash);
  }
  if (memory !== undefined) hashes.get(id).update(new Uint8Array(memory, start, length));
  const answer = end ? hashes.get(id).digest('hex') : undefined;
  if (end || drop) hashes.delete(id);
  return answer;
});
`;

/** One is enough for a fast disk or network; two keep up with two files at once. */
const threads = createThreadPool(CODE, { does: 'hashes', most: 2 });
