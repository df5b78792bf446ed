import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { withFileErrors } from '../../storage/local/file-errors.js';
import { createKeyLock } from '../../tasks/key-lock.js';
import type { Release } from '../../tasks/permits.js';
import { claimFolder, lastClaimed, type FolderClaim } from './folder-claim.js';

/** A folder on this machine for one job, and for nobody else meanwhile. */
export interface Scratch {
  readonly folder: string;
  /** What was fetched; an earlier process may have left some of it. */
  readonly source: string;
  /** Empty, and new each time: a driver whose parent was killed may still be writing to the one before. */
  readonly output: string;
  /** Bytes that an earlier process left and that take room. */
  keptBytes(): Promise<number>;
  /** Removes the folder and all in it. */
  release(): Promise<void>;
}

/** Whoever was killed is likely to come back for what it had fetched; after this time it is not. */
export const LEFT_BEHIND_MS = 6 * 60 * 60_000;

const PREFIX = 'shard-';
const OUTPUT_PREFIX = 'output-';
// Of these nobody wants anything any more.
const REMOVED_PREFIX = 'removed-';

// An attempt that was given up may still be ending in this process: the next one waits for it.
const folders = createKeyLock();

/** Takes the folder of a plan, with what a killed process left there; `InsufficientResources` while a live one has it. */
export async function holdScratch(
  scratchFolder: string,
  planId: string,
  { signal }: { readonly signal: AbortSignal }
): Promise<Scratch> {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(planId)) {
    throw new PrefetchError(
      'Internal',
      `A plan id is part of a path, and this one cannot be: ${JSON.stringify(planId)}`
    );
  }
  return holdFolder(join(scratchFolder, `${PREFIX}${planId}`), { signal });
}

/** Removes what killed processes left and nobody touched for a time; what somebody works in stays. */
export async function sweepScratch(
  scratchFolder: string,
  { olderThanMs, signal }: { readonly olderThanMs: number; readonly signal: AbortSignal }
): Promise<void> {
  const names = await readdir(scratchFolder);
  for (const name of names.filter((name) => name.startsWith(REMOVED_PREFIX))) {
    signal.throwIfAborted();
    await removeAll(join(scratchFolder, name));
  }
  for (const folder of names.filter((name) => name.startsWith(PREFIX)).map((name) => join(scratchFolder, name))) {
    signal.throwIfAborted();
    // Nobody waits for a folder only to sweep it.
    if (folders.isTaken(folder) || Date.now() - (await lastClaimed(folder)) < olderThanMs) continue;
    try {
      await (await holdFolder(folder, { signal })).release();
    } catch (error) {
      // Somebody came back for it at this very moment.
      if (!isPrefetchError(error, 'InsufficientResources')) throw error;
    }
  }
}

async function holdFolder(folder: string, { signal }: { readonly signal: AbortSignal }): Promise<Scratch> {
  let unlock: Release | undefined;
  let claim: FolderClaim | undefined;
  let held = true;
  const release = async () => {
    if (!held) return;
    held = false;
    claim?.stop();
    if (claim !== undefined) await remove(folder);
    unlock?.();
  };
  try {
    unlock = await folders.acquire(folder, { signal });
    claim = await claimFolder(folder);
    const scratch = { folder, source: join(folder, 'source'), output: join(folder, `${OUTPUT_PREFIX}${randomUUID()}`) };
    await prepare(scratch);
    return { ...scratch, keptBytes: () => bytesIn(scratch.source), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/**
 * Under another name first, claims and all: files go one by one, and whoever saw no claim any more would take the folder
 * and lose what it puts there.
 */
async function remove(folder: string): Promise<void> {
  const removed = join(dirname(folder), `${REMOVED_PREFIX}${randomUUID()}`);
  await rename(folder, removed).then(
    () => removeAll(removed),
    // What cannot be removed now is swept later; the job's own outcome is not to be lost over it.
    () => undefined
  );
}

/** As far as it can: another process may be at it too. */
async function removeAll(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

async function prepare({ folder, source, output }: Pick<Scratch, 'folder' | 'source' | 'output'>): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(OUTPUT_PREFIX)) await rm(join(folder, name), { recursive: true, force: true });
  }
  await withFileErrors({ action: 'make', path: folder }, async () => {
    await mkdir(source, { recursive: true });
    await mkdir(output);
  });
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const { size, nlink } = await stat(join(entry.parentPath, entry.name));
    // A linked file is the store's own.
    if (nlink === 1) bytes += size;
  }
  return bytes;
}
