import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Digest } from '../core/digest.js';
import { PrefetchError } from '../core/errors.js';

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
  const thread = leastBusyThread();
  const id = thread.open(
    algorithm === 'sha256' ? { algorithm: 'sha256' } : { algorithm: 'sha1', first: `blob ${size}\0` }
  );
  return {
    update: async (bytes) => {
      if (!(bytes.buffer instanceof SharedArrayBuffer)) {
        throw new PrefetchError('Internal', 'Bytes for another thread are not in shared memory');
      }
      await thread.ask({ id, memory: bytes.buffer, start: bytes.byteOffset, length: bytes.length });
    },
    hex: async () => String(await thread.ask({ id, end: true })),
    drop: () => {
      thread.drop(id);
    },
  };
}

/** Memory that another thread can hash where it lies. */
export function sharedBuffer(size: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(size));
}

// As text, for a file of its own would have another name in the sources than in the package.
const THREAD = `
const { parentPort } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const hashes = new Map();
parentPort.on('message', ({ call, id, algorithm, first, memory, start, length, end, drop }) => {
  if (algorithm !== undefined) {
    const hash = createHash(algorithm);
    if (first !== undefined) hash.update(first);
    hashes.set(id, hash);
  }
  if (memory !== undefined) hashes.get(id).update(new Uint8Array(memory, start, length));
  const answer = end ? hashes.get(id).digest('hex') : undefined;
  if (end || drop) hashes.delete(id);
  if (call !== undefined) parentPort.postMessage({ call, answer });
});
`;

interface HashThread {
  readonly open: (start: { readonly algorithm: string; readonly first?: string }) => number;
  readonly ask: (message: object) => Promise<unknown>;
  readonly drop: (id: number) => void;
  readonly hashes: () => number;
}

const threads: HashThread[] = [];

/** One is enough for a fast disk or network; two keep up with two files at once. */
function leastBusyThread(): HashThread {
  const most = Math.min(2, availableParallelism());
  const [idlest] = [...threads].sort((a, b) => a.hashes() - b.hashes());
  if (idlest !== undefined && (idlest.hashes() === 0 || threads.length >= most)) return idlest;
  const thread = startThread();
  threads.push(thread);
  return thread;
}

function startThread(): HashThread {
  const worker = new Worker(THREAD, { eval: true });
  const calls = new Map<number, { resolve: (answer: unknown) => void; reject: (error: unknown) => void }>();
  const open = new Set<number>();
  let lastId = 0;
  let lastCall = 0;
  let ended: { readonly error: PrefetchError } | undefined;
  // It keeps the process alive only while somebody waits for it.
  worker.unref();
  worker.on('message', ({ call, answer }: { call: number; answer: unknown }) => {
    calls.get(call)?.resolve(answer);
    calls.delete(call);
    if (calls.size === 0) worker.unref();
  });
  // A thread that fails says so twice: it failed, and it has ended.
  const end = (error: PrefetchError): void => {
    if (ended !== undefined) return;
    ended = { error };
    threads.splice(threads.indexOf(thread), 1);
    for (const { reject } of calls.values()) reject(error);
    calls.clear();
  };
  worker.on('error', (error) => {
    end(new PrefetchError('Internal', `The thread that hashes failed: ${error.message}`));
  });
  worker.on('exit', () => {
    end(new PrefetchError('Internal', 'The thread that hashes has ended'));
  });
  const thread: HashThread = {
    open: (start) => {
      const id = ++lastId;
      open.add(id);
      worker.postMessage({ id, ...start });
      return id;
    },
    ask: (message) =>
      new Promise((resolve, reject) => {
        // Nobody would answer any more.
        if (ended !== undefined) {
          reject(ended.error);
          return;
        }
        const call = ++lastCall;
        calls.set(call, { resolve, reject });
        worker.ref();
        worker.postMessage({ call, ...message });
      }),
    drop: (id) => {
      if (open.delete(id)) worker.postMessage({ id, drop: true });
    },
    hashes: () => open.size,
  };
  return thread;
}
