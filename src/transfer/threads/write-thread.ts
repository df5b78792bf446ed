import { KiB } from '../../core/units.js';
import { asSharedBytes, createThreadPool } from './worker-thread.js';

/**
 * Writes bytes of shared memory to a position of an open file, in another thread; fails with the error of the system.
 * The descriptor must stay open until this is done: the system would give its number to the next file that is opened.
 */
export async function writeInThread(descriptor: number, bytes: Uint8Array, position: number): Promise<void> {
  const shared = asSharedBytes(bytes);
  const { thread, release } = threads.acquire();
  const failure = await thread.ask({ descriptor, position, ...shared }).finally(release);
  if (failure !== undefined) throw asSystemError(failure as SystemFailure);
}

/**
 * For bigger writes Linux takes bigger pages. Where they have to be made first, as in virtual machines whose host takes
 * unused memory back, that costs several times what the copying does: 1.6 against 3.3 CPU s/GB of sharding. So many small
 * writes are what the thread is for: each would be two hops between the threads of Node.
 */
const PIECE_BYTES = 128 * KiB;

const CODE = `
const { writeSync } = require('node:fs');
serve(({ descriptor, memory, start, length, position }) => {
  const bytes = new Uint8Array(memory, start, length);
  try {
    for (let written = 0; written < length;) {
      const piece = Math.min(${PIECE_BYTES}, length - written);
      written += writeSync(descriptor, bytes, written, piece, position + written);
    }
  } catch (error) {
    // As an error it would come to the other thread without its code.
    return { ...error, message: error.message };
  }
});
`;

/** `code`, `errno` and `syscall` of the system, beside the message. */
type SystemFailure = Readonly<Record<string, unknown>> & { readonly message: string };

function asSystemError({ message, ...facts }: SystemFailure): Error {
  return Object.assign(new Error(message), facts);
}

/** Measured on two cores: one was slower, a third brought nothing. */
const threads = createThreadPool(CODE, { does: 'writes files', most: 2 });
