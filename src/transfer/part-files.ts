import { open, type FileHandle } from 'node:fs/promises';
import { KiB } from '../core/units.js';

/** Files of a local store that parts are written into, each opened once. */
export interface PartFiles {
  /** Writes bytes at a position; fails with the error of the system. */
  write(path: string, bytes: Uint8Array, position: number): Promise<void>;
  /** Done when nothing is on its way to the disk any more; fails where some of it was lost. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export function openPartFiles(): PartFiles {
  const handles = new Map<string, Promise<FileHandle>>();
  let syncing = Promise.resolve();
  let lost: { readonly error: unknown } | undefined;

  /** A disk that is told early what to keep takes it beside the next parts, and has little left to do at the end. */
  function syncEarly(handle: FileHandle): void {
    if (someSyncRuns) return;
    someSyncRuns = true;
    syncing = handle
      .datasync()
      .catch((error: unknown) => {
        // The system tells of a loss once: the sync before the publication would not hear of it again.
        lost = { error };
      })
      .finally(() => {
        someSyncRuns = false;
      });
  }

  async function settle(): Promise<void> {
    await syncing;
    if (lost !== undefined) throw lost.error;
  }

  return {
    async write(path, bytes, position) {
      const opened = handles.get(path) ?? open(path, 'r+');
      handles.set(path, opened);
      try {
        const handle = await opened;
        await writeAll(handle, bytes, position);
        syncEarly(handle);
      } catch (error) {
        handles.delete(path);
        await opened.then(closeQuietly, () => undefined);
        throw error;
      }
    },
    settle,
    async close() {
      for (const opened of handles.values()) await opened.then(closeQuietly, () => undefined);
    },
  };
}

/** One at a time in this process: each keeps one of the few threads busy that read and write files. */
let someSyncRuns = false;

/**
 * For bigger writes Linux takes bigger pages. Where they have to be made first, as in virtual machines whose host takes
 * unused memory back, that costs several times what the copying does: 1.6 against 3.3 CPU s/GB of sharding.
 */
const MOST_AT_ONCE = 128 * KiB;

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const length = Math.min(MOST_AT_ONCE, bytes.length - written);
    const { bytesWritten } = await handle.write(bytes, written, length, position + written);
    written += bytesWritten;
  }
}

async function closeQuietly(handle: FileHandle): Promise<void> {
  // The store syncs what was written; a failure to close says nothing about the bytes.
  await handle.close().catch(() => undefined);
}
