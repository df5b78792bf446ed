import { availableParallelism } from 'node:os';
import type { Digest } from '../core/digest.js';
import { asSharedBytes, startWorkerThread, type WorkerThread } from './worker-thread.js';

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
  const { thread, open } = leastBusyThread();
  const id = ++lastId;
  open.add(id);
  thread.tell(
    algorithm === 'sha256' ? { id, algorithm: 'sha256' } : { id, algorithm: 'sha1', first: `blob ${size}\0` }
  );
  return {
    update: async (bytes) => {
      await thread.ask({ id, ...asSharedBytes(bytes) });
    },
    hex: async () => String(await thread.ask({ id, end: true })),
    drop: () => {
      if (open.delete(id)) thread.tell({ id, drop: true });
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

interface HashThread {
  readonly thread: WorkerThread;
  /** Digests that are not dropped yet. */
  readonly open: Set<number>;
}

const threads: HashThread[] = [];

/** One is enough for a fast disk or network; two keep up with two files at once. */
function leastBusyThread(): HashThread {
  const most = Math.min(2, availableParallelism());
  const [idlest] = [...threads].sort((a, b) => a.open.size - b.open.size);
  if (idlest !== undefined && (idlest.open.size === 0 || threads.length >= most)) return idlest;
  const started: HashThread = {
    thread: startWorkerThread(CODE, {
      does: 'hashes',
      onEnd: () => threads.splice(threads.indexOf(started), 1),
    }),
    open: new Set(),
  };
  threads.push(started);
  return started;
}
