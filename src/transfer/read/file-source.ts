import { open, readFile } from 'node:fs/promises';
import type { KnownSource } from '../../core/byte-source.js';
import type { Digest } from '../../core/digest.js';
import { PrefetchError } from '../../core/errors.js';
import type { OpenedSource } from './object-source.js';

/** Opens a file on this machine. `name` is what messages call it. */
export async function openFile(
  path: string,
  { name, size, digest }: { readonly name: string; readonly size: number; readonly digest: Digest }
): Promise<KnownSource & OpenedSource> {
  const handle = await open(path, 'r');
  return {
    ...{ path: name, size, digest },
    read: async ({ start, end }, into, { signal, onBytes }) => {
      let filled = 0;
      while (filled < end - start) {
        signal.throwIfAborted();
        const { bytesRead } = await handle.read(into, filled, end - start - filled, start + filled);
        if (bytesRead === 0) throw new PrefetchError('Internal', `A local copy ends at ${start + filled} bytes`);
        filled += bytesRead;
      }
      onBytes?.(filled);
    },
    readWhole: ({ signal }) => readFile(path, { signal }),
    close: () => handle.close(),
  };
}
