import { open as openFile, type FileHandle } from 'node:fs/promises';
import { writeInThread } from '../threads/write-thread.js';

/** Files of a local store that parts are written into, each opened once. */
export interface PartFiles {
  /** Writes bytes of shared memory at a position; fails with the error of the system. */
  write(path: string, bytes: Uint8Array, position: number): Promise<void>;
  /** Done when nothing is on its way to the disk any more; fails where some of it was lost. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Opens no file before the first write to it. */
export function openPartFiles(): PartFiles {
  const files = new Map<string, PartFile>();
  let syncing = Promise.resolve();
  let lost: { readonly error: unknown } | undefined;

  /** A disk that is told early what to keep takes it beside the next parts, and has little left to do at the end. */
  function syncEarly(file: PartFile): void {
    if (someSyncRuns) return;
    someSyncRuns = true;
    syncing = file
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
      const file = files.get(path) ?? openPartFile(path);
      files.set(path, file);
      try {
        await file.write(bytes, position);
        // One that is being closed, for another write failed, is synced by the store at the end.
        if (files.get(path) === file) syncEarly(file);
      } catch (error) {
        // The next write opens it anew; those that are under way keep what they have.
        if (files.get(path) === file) files.delete(path);
        await file.close();
        throw error;
      }
    },
    settle,
    async close() {
      const open = [...files.values()];
      files.clear();
      for (const file of open) await file.close();
    },
  };
}

/** One at a time in this process: each keeps one of the few threads busy that read files. */
let someSyncRuns = false;

interface PartFile {
  write(bytes: Uint8Array, position: number): Promise<void>;
  datasync(): Promise<void>;
  /** Waits for the writes that are under way. */
  close(): Promise<void>;
}

function openPartFile(path: string): PartFile {
  const opened = openFile(path, 'r+');
  const writes = new Set<Promise<void>>();

  async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
    const write = writeInThread(handle.fd, bytes, position);
    writes.add(write);
    try {
      await write;
    } finally {
      writes.delete(write);
    }
  }

  return {
    write: async (bytes, position) => writeAt(await opened, bytes, position),
    datasync: async () => (await opened).datasync(),
    async close() {
      const handle = await opened.catch(() => undefined);
      // Each of them tells its own caller how it ended.
      while (writes.size > 0) await Promise.allSettled(writes);
      // The store syncs what was written; a failure to close says nothing about the bytes.
      await handle?.close().catch(() => undefined);
    },
  };
}
