import { createReadStream, createWriteStream } from 'node:fs';
import { link, rename, stat } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MiB } from '../../core/units.js';
import { isSystemError, withFileErrors } from '../../storage/local/file-errors.js';

/** A file of a local store, and where it is wanted. */
export interface LocalCopy {
  readonly from: string;
  readonly to: string;
  readonly size: number;
}

/**
 * Links a file, or copies it where that cannot be: to another disk, or a file of another user. A link takes no room, and it
 * goes on naming the bytes that are checked now, even when the store puts another file in their place. It is only read:
 * writing to it would change the store.
 * @returns whether a part of it is what a killed process had copied
 */
export async function linkOrCopy(
  copy: LocalCopy,
  options: { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void }
): Promise<{ readonly resumed: boolean }> {
  return withFileErrors({ action: 'write', path: copy.to, neededBytes: copy.size }, async () => {
    try {
      await link(copy.from, copy.to);
      return { resumed: false };
    } catch (error) {
      if (!isSystemError(error, 'EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
      return copyRest(copy, options);
    }
  });
}

/** Goes on where a killed process ended, under a name of its own: what stands at the name itself may be a link. */
async function copyRest(
  { from, to, size }: LocalCopy,
  { signal, onBytes }: { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void }
): Promise<{ readonly resumed: boolean }> {
  const partial = `${to}.part`;
  const before = await stat(partial).then(
    (found) => found.size,
    () => 0
  );
  const resumed = before > 0 && before <= size;
  let done = resumed ? before : 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, pass) {
      done += chunk.length;
      onBytes(done);
      pass(null, chunk);
    },
  });
  const highWaterMark = MiB;
  const writing = resumed ? { flags: 'r+', start: done } : { flags: 'w' };
  try {
    await pipeline(
      createReadStream(from, { start: done, highWaterMark }),
      count,
      createWriteStream(partial, { ...writing, highWaterMark }),
      { signal }
    );
  } catch (error) {
    // Its own error says only that it was aborted, not why.
    signal.throwIfAborted();
    throw error;
  }
  await rename(partial, to);
  return { resumed };
}
