import { open, type FileHandle } from 'node:fs/promises';
import { PrefetchError } from '../core/errors.js';
import { getRange } from '../http/get-range.js';
import type { ObjectStore } from '../storage/object-store.js';
import type { ReadPart } from './read-part.js';
import { patienceOf, type RequestPolicy } from './policies.js';
import { asStoreFailure, withStoreRetries } from './store-failure.js';

/** Ranges of one object of a store. */
export interface ObjectReader {
  /** Fills memory with one range, exactly, or fails with a store's code. */
  readonly read: ReadPart;
  close(): Promise<void>;
}

/** Opens an object for ranged reads; nothing is asked of the store before the first of them. */
export function openObject(
  store: ObjectStore,
  { key, size }: { readonly key: string; readonly size: number },
  policy: RequestPolicy
): ObjectReader {
  let opened: Promise<FileHandle> | undefined;

  const openOnce = async (path: string): Promise<FileHandle> => {
    try {
      return await (opened ??= open(path, 'r'));
    } catch (error) {
      opened = undefined;
      return asFileFailure(key)(error);
    }
  };

  const read: ReadPart = (range, into, { signal, onBytes, giveWay }) =>
    withStoreRetries({ store, key }, policy, { signal, giveWay }, async () => {
      // Asked for at each try, for signatures end.
      const target = await store.readTarget(key, { signal });
      if (target.kind === 'file') {
        await readFile(await openOnce(target.path), { range, key }, into, signal);
        onBytes(range.end - range.start);
        return;
      }
      try {
        await getRange({ target, range, totalSize: size, into, signal, ...patienceOf(policy), onBytes });
      } catch (error) {
        signal.throwIfAborted();
        throw asStoreFailure(error, key);
      }
    });

  return {
    read,
    close: async () => {
      // A file that could not be opened told its reader so.
      await opened?.then(
        (handle) => handle.close(),
        () => undefined
      );
    },
  };
}

async function readFile(
  handle: FileHandle,
  { range, key }: { readonly range: { readonly start: number; readonly end: number }; readonly key: string },
  into: Uint8Array,
  signal: AbortSignal
): Promise<void> {
  const length = range.end - range.start;
  for (let filled = 0; filled < length;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle
      .read(into, filled, length - filled, range.start + filled)
      .catch(asFileFailure(key));
    if (bytesRead === 0) {
      throw new PrefetchError('ObjectChanged', `${key} ends at ${range.start + filled} bytes, expected ${range.end}`);
    }
    filled += bytesRead;
  }
}

function asFileFailure(key: string): (error: unknown) => never {
  return (error) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code';
    throw new PrefetchError(
      code === 'ENOENT' ? 'ObjectNotFound' : 'StoreUnavailable',
      `${key} cannot be read (${code})`
    );
  };
}
