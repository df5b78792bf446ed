import type { JudgeRefusal } from '../../http/range-answer.js';
import type { ObjectStore } from '../../storage/object-store.js';

/** An object whose bytes are read. */
export interface ObjectToRead {
  readonly store: Pick<ObjectStore, 'readFailure'>;
  readonly key: string;
  readonly signal: AbortSignal;
}

/** Reads bytes where the store says that they are. What it refuses, and what breaks, is told in the words of the store. */
export async function asStoreRead<T>(
  { store, key, signal }: ObjectToRead,
  read: (judge: JudgeRefusal) => Promise<T>
): Promise<T> {
  try {
    return await read((answer) => store.readFailure(answer, key, { signal }));
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof Error ? await store.readFailure(error, key, { signal }) : error;
  }
}
