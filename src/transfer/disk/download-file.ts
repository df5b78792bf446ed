import { mkdir, open, rm, statfs, type FileHandle } from 'node:fs/promises';
import type { LocatedSource } from '../../core/byte-source.js';
import { isPrefetchError, PrefetchError, rewrap } from '../../core/errors.js';
import { isLocationRefused, isRetryable, isSenseless, lastOf } from '../../http/range-answer.js';
import { patienceOf, waitBy } from '../../http/request-policy.js';
import { streamRange } from '../../http/stream-range.js';
import { withRetries } from '../../tasks/retries.js';
import type { Policies } from '../budget/policies.js';
import { digestMismatch } from '../digest/mismatch.js';
import { hashFile } from '../read/verify-object.js';

/** A file to be had on this machine. */
export interface Download {
  readonly source: Pick<LocatedSource, 'path' | 'size' | 'digest' | 'locate' | 'judge'>;
  readonly path: string;
  /** Named when its disk is full. */
  readonly folder: string;
  readonly policies: Policies;
}

interface DownloadOptions {
  readonly signal: AbortSignal;
  /** All bytes fetched so far. */
  readonly onFetched: (bytes: number) => void;
}

/** Downloads a file, going on where an earlier download ended, and checks it as a whole. */
export async function downloadFile(
  download: Download,
  { signal, onFetched }: DownloadOptions
): Promise<{ readonly fetchedBytes: number; readonly resumed: boolean }> {
  const { source, path, folder } = download;
  await mkdir(folder, { recursive: true });
  let fetchedBytes = 0;
  const onBytes = (count: number): void => {
    fetchedBytes += count;
    onFetched(fetchedBytes);
  };
  const { algorithm, hex: expected } = source.digest;
  for (let mismatches = 0; ; mismatches++) {
    const before = await fill(download, { signal, onBytes });
    const hex = await hashFile(path, { algorithm, size: source.size }, { signal });
    if (hex === expected) return { fetchedBytes, resumed: before > 0 };
    await rm(path, { force: true });
    if (mismatches > 0) throw digestMismatch(source, { expected: source.digest.hex, got: hex });
  }
}

interface FillOptions {
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => void;
}

/** Appends what is missing; the result is how many bytes were there before. */
async function fill(download: Download, { signal, onBytes }: FillOptions): Promise<number> {
  const { source, path, policies } = download;
  const handle = await openForAppending(path);
  try {
    const file: GrowingFile = { handle, position: await sizeWithin(handle, source.size), begunAgain: 0 };
    const before = file.position;
    await refuseFullDisk(download, source.size - before);
    await withRetries({ signal, waitMs: waitBy(policies.get, isRetryable) }, () =>
      appendRest(download, file, { signal, onBytes })
    ).catch((error: unknown) => {
      throw lastFailure(error, file, policies.get.tries);
    });
    return before;
  } finally {
    await handle.close();
  }
}

interface GrowingFile {
  readonly handle: FileHandle;
  position: number;
  /** How often what had come was thrown away, for a source that gives no rest of a file. */
  begunAgain: number;
}

async function appendRest(download: Download, file: GrowingFile, options: FillOptions): Promise<void> {
  const { source, policies } = download;
  const { signal, onBytes } = options;
  let location = await source.locate({ signal });
  for (let refusals = 0; file.position < source.size;) {
    const range = { start: file.position, end: source.size };
    const onChunk = async (chunk: Uint8Array): Promise<void> => {
      await append(download, file, chunk);
      onBytes(chunk.length);
    };
    try {
      await streamRange({
        target: location,
        range,
        totalSize: source.size,
        signal,
        ...patienceOf(policies),
        onChunk,
        judge: source.judge,
      });
    } catch (error) {
      if (isPrefetchError(error, 'StreamingUnsupported') && file.position > 0) {
        // A source without ranges: all of it, or nothing.
        await file.handle.truncate(0);
        file.position = 0;
        file.begunAgain++;
      } else if (isLocationRefused(error) && refusals++ < 3) {
        location = await source.locate({ signal, stale: location });
      } else throw error;
    }
  }
}

/** The failure after the last try; where another would bring no more, it is one that nobody tries on. */
function lastFailure(error: unknown, { begunAgain }: GrowingFile, tries: number): unknown {
  if (!isPrefetchError(error) || error.permanent) return error;
  if (isSenseless(error)) return lastOf(error);
  // Each try read the file from its start, and it broke off each time.
  if (begunAgain < Math.max(1, tries - 1)) return error;
  return rewrap(error, {
    code: 'StreamingUnsupported',
    text: `The source gives no ranges, and all of the file broke off ${begunAgain + 1} times. The last time: ${error.text}`,
  });
}

async function append(download: Download, file: GrowingFile, chunk: Uint8Array): Promise<void> {
  try {
    for (let written = 0; written < chunk.length;) {
      const { bytesWritten } = await file.handle.write(chunk, written, chunk.length - written, file.position);
      written += bytesWritten;
      file.position += bytesWritten;
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code';
    if (code === 'ENOSPC' || code === 'EDQUOT') throw await diskFull(download, download.source.size - file.position);
    throw new PrefetchError('Internal', `${download.path} cannot be written (${code})`);
  }
}

async function openForAppending(path: string): Promise<FileHandle> {
  return open(path, 'r+').catch(() => open(path, 'w+'));
}

async function sizeWithin(handle: FileHandle, size: number): Promise<number> {
  const stats = await handle.stat();
  if (stats.size <= size) return stats.size;
  await handle.truncate(0);
  return 0;
}

async function refuseFullDisk(download: Download, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(download.folder);
  if (bavail * bsize < neededBytes) throw await diskFull(download, neededBytes);
}

async function diskFull({ folder, source }: Download, neededBytes: number): Promise<PrefetchError> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  return new PrefetchError(
    'DiskFull',
    `${folder} has ${freeBytes} bytes free, and ${source.path} needs ${neededBytes} more: free some space or choose ` +
      'another folder for downloads',
    { details: { path: folder, freeBytes, neededBytes } }
  );
}
