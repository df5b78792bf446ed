import { open, type FileHandle } from 'node:fs/promises';
import type { ByteRange, ByteSource } from '../../core/byte-source.js';
import { PrefetchError } from '../../core/errors.js';
import { getRange } from '../../http/get-range.js';
import { patienceOf, type RequestPolicy } from '../../http/request-policy.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { withFreshTargets } from './fresh-targets.js';
import { asStoreRead } from './store-read.js';

/** A source that holds something of this process until it is closed. */
export interface OpenedSource extends ByteSource {
  close(): Promise<void>;
}

/** Opens an object of a store; nothing is asked before the first read. What fails has a store's code. */
export function openObject(
  store: ObjectStore,
  { key, size }: { readonly key: string; readonly size: number },
  policy: RequestPolicy
): OpenedSource {
  let opened: Promise<FileHandle> | undefined;

  const openOnce = async (path: string): Promise<FileHandle> => {
    try {
      return await (opened ??= open(path, 'r'));
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };

  const read: ByteSource['read'] = (range, into, { signal, onBytes = () => undefined, giveWay }) =>
    withFreshTargets(
      policy,
      { signal, giveWay },
      {
        ask: () => store.readTarget(key, { signal }),
        use: (target) =>
          asStoreRead({ store, key, signal }, async (judge) => {
            if (target.kind === 'file') {
              await readFile(await openOnce(target.path), { range, key }, into, signal);
              onBytes(range.end - range.start);
            } else
              await getRange({ target, range, totalSize: size, into, signal, ...patienceOf(policy), onBytes, judge });
          }),
      }
    );

  return {
    path: key,
    size,
    read,
    readWhole: async (options) => {
      const bytes = new Uint8Array(size);
      if (size > 0) await read({ start: 0, end: size }, bytes, options);
      return bytes;
    },
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
  { range, key }: { readonly range: ByteRange; readonly key: string },
  into: Uint8Array,
  signal: AbortSignal
): Promise<void> {
  const length = range.end - range.start;
  for (let filled = 0; filled < length;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(into, filled, length - filled, range.start + filled);
    if (bytesRead === 0) {
      throw new PrefetchError('ObjectChanged', `${key} ends at ${range.start + filled} bytes, expected ${range.end}`);
    }
    filled += bytesRead;
  }
}
