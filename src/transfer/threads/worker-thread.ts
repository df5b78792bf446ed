import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { PrefetchError } from '../../core/errors.js';

/** A thread of this process that does one kind of work. */
export interface WorkerThread {
  /** Done when the thread has done it, with its answer. */
  ask(message: object): Promise<unknown>;
  /** Nobody waits for this. */
  tell(message: object): void;
}

/** Threads that do the same work. */
export interface ThreadPool {
  /** The thread that has the least to do. */
  acquire(): ThreadLease;
}

/** Something that a thread has to do, until it is released. */
export interface ThreadLease {
  readonly thread: WorkerThread;
  /** @returns false where it was released before */
  readonly release: () => boolean;
}

/** A stretch of shared memory, as threads tell it each other. */
export interface SharedBytes {
  readonly memory: SharedArrayBuffer;
  readonly start: number;
  readonly length: number;
}

/** Memory that all threads see where it lies. */
export function sharedBuffer(size: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(size));
}

/** The stretch that these bytes are; `Internal` where they are in memory of this thread alone. */
export function asSharedBytes({ buffer, byteOffset, length }: Uint8Array): SharedBytes {
  if (buffer instanceof SharedArrayBuffer) return { memory: buffer, start: byteOffset, length };
  throw new PrefetchError('Internal', 'Bytes for another thread are not in shared memory');
}

const SERVE = `
const { parentPort } = require('node:worker_threads');
function serve(work) {
  parentPort.on('message', ({ call, ...message }) => {
    const answer = work(message);
    if (call !== undefined) parentPort.postMessage({ call, answer });
  });
}
`;

/** What the threads of a pool do. */
interface Kind {
  /** For messages, as in "the thread that hashes". */
  readonly does: string;
  /** Never more than there are cores. */
  readonly most: number;
}

/**
 * Starts threads when they are needed, and new ones for those that died. Their code calls `serve` with a function that gets
 * each message and returns the answer; it is a text, for a file of its own would have another name in the sources than in the
 * package.
 */
export function createThreadPool(code: string, { does, most }: Kind): ThreadPool {
  const members: { readonly thread: WorkerThread; leases: number }[] = [];

  function leastBusy(): (typeof members)[number] {
    const [idlest] = [...members].sort((a, b) => a.leases - b.leases);
    const isFull = members.length >= Math.min(most, availableParallelism());
    if (idlest !== undefined && (idlest.leases === 0 || isFull)) return idlest;
    const onEnd = (): void => {
      members.splice(members.indexOf(started), 1);
    };
    const started = { thread: startWorkerThread(code, { does, onEnd }), leases: 0 };
    members.push(started);
    return started;
  }

  return {
    acquire() {
      const member = leastBusy();
      member.leases++;
      let held = true;
      return {
        thread: member.thread,
        release: () => {
          if (!held) return false;
          held = false;
          member.leases--;
          return true;
        },
      };
    },
  };
}

function startWorkerThread(
  code: string,
  { does, onEnd }: Pick<Kind, 'does'> & { readonly onEnd: () => void }
): WorkerThread {
  const worker = new Worker(SERVE + code, { eval: true });
  const calls = new Map<number, { resolve: (answer: unknown) => void; reject: (error: unknown) => void }>();
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
    onEnd();
    for (const { reject } of calls.values()) reject(error);
    calls.clear();
  };
  worker.on('error', (error) => {
    end(new PrefetchError('Internal', `The thread that ${does} failed: ${error.message}`));
  });
  worker.on('exit', () => {
    end(new PrefetchError('Internal', `The thread that ${does} has ended`));
  });
  return {
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
    tell: (message) => {
      worker.postMessage(message);
    },
  };
}
