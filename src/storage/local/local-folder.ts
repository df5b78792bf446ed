import { randomBytes } from 'node:crypto';
import { link, lstat, mkdir, open, readdir, realpath, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';

import { PrefetchError } from '../../core/errors.js';
import { HIDDEN_FOLDER, checkKey } from '../store-key.js';
import { isSystemError } from './file-errors.js';

/** The folder of a local store, and where things lie in it. */
export interface LocalFolder {
  readonly path: string;
  /** State of unfinished uploads; on the same file system, so that publishing is a rename. */
  readonly uploads: string;
  readonly scratch: string;
  /** Names this store instance in the records of its uploads. */
  readonly instance: string;
}

/** How often a path is made again when somebody removes its folder, empty for a moment, under our hands. */
const PUBLISH_TRIES = 5;

/** Describes the folder without touching it. */
export function localFolder(path: string): LocalFolder {
  const hidden = join(path, HIDDEN_FOLDER);
  return {
    path,
    uploads: join(hidden, 'uploads'),
    scratch: join(hidden, 'tmp'),
    instance: randomBytes(8).toString('hex'),
  };
}

/** Makes a folder for our own files. A link in its place would have them written wherever it points. */
export async function makeHiddenFolder(folder: LocalFolder, path: string): Promise<void> {
  for (const place of [dirname(path), path]) {
    await mkdir(place, { recursive: true });
    if (!(await lstat(place)).isSymbolicLink()) continue;
    throw new PrefetchError(
      'UnsafePath',
      `${place} is a link, expected a folder of this tool: remove it from ${folder.path}`,
      {
        details: { path: place },
      }
    );
  }
}

/** Path of an object's file. */
export function keyPath(folder: LocalFolder, key: string): string {
  checkKey(key);
  return join(folder.path, key);
}

/** A path in the scratch folder that nobody else has. */
export async function scratchPath(folder: LocalFolder): Promise<string> {
  await makeHiddenFolder(folder, folder.scratch);
  return join(folder.scratch, `${String(process.pid)}-${randomBytes(8).toString('hex')}`);
}

/** Moves a finished, synced file to a key's path: readers see the old file or the new one. */
export async function publishFile(folder: LocalFolder, from: string, key: string): Promise<void> {
  await putInPlace(folder, { from, key }, (to) => rename(from, to));
}

/** The same where nothing is at the key yet; fails with `EEXIST` otherwise, and the file stays where it is. */
export async function publishNewFile(folder: LocalFolder, from: string, key: string): Promise<void> {
  // A rename would replace what somebody else put there meanwhile; a second name is refused by the file system itself.
  await putInPlace(folder, { from, key }, (to) => link(from, to));
  // Somebody who looks for uploads may have removed it already: it is an object now.
  await rm(from, { force: true });
}

async function putInPlace(
  folder: LocalFolder,
  { from, key }: { readonly from: string; readonly key: string },
  move: (to: string) => Promise<void>
): Promise<void> {
  const to = keyPath(folder, key);
  for (let tries = 1; ; tries++) {
    await refuseLinksOut(folder, dirname(to), key);
    const created = await mkdir(dirname(to), { recursive: true });
    try {
      await move(to);
    } catch (error) {
      const folderVanished = isSystemError(error, 'ENOENT') && (await exists(from));
      if (!folderVanished || tries === PUBLISH_TRIES) throw error;
      continue;
    }
    await syncFolders(dirname(to), created === undefined ? dirname(to) : dirname(created));
    return;
  }
}

/** Whether a file can get a second name here: some network and FUSE file systems, and FAT, have no such thing. */
export async function takesLinks(folder: LocalFolder): Promise<boolean> {
  const from = await scratchPath(folder);
  // In another folder, as those that are published: some file systems link within one only.
  const to = join(dirname(folder.scratch), `${basename(from)}.link`);
  try {
    await (await open(from, 'wx')).close();
    await link(from, to);
    return true;
  } catch (error) {
    if (isSystemError(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL', 'EACCES', 'EXDEV'))
      return false;
    throw error;
  } finally {
    await rm(from, { force: true });
    await rm(to, { force: true });
  }
}

/** Removes folders that an object's removal left empty, as an object store has none. */
export async function removeEmptyFolders(folder: LocalFolder, from: string): Promise<void> {
  for (let path = from; path.startsWith(folder.path + sep); path = dirname(path)) {
    try {
      await rmdir(path);
    } catch (error) {
      if (isSystemError(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR', 'EBUSY')) return;
      throw error;
    }
  }
}

/** Fails as `DiskFull` before a byte moves; what others write meanwhile is theirs to notice. */
export async function refuseFullDisk(folder: LocalFolder, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder.path);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  throw new PrefetchError(
    'DiskFull',
    `${folder.path} has ${String(freeBytes)} bytes free, and ${String(neededBytes)} are needed: ` +
      'free some space or choose another store',
    { details: { path: folder.path, freeBytes, neededBytes } }
  );
}

/** Removes what processes that died left behind and nobody took up again. */
export async function sweep(path: string, olderThanMs: number): Promise<void> {
  const names = await readdir(path).catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  });
  for (const name of names) {
    const entry = join(path, name);
    if (Date.now() - (await lastChangeMs(entry)) > olderThanMs) await rm(entry, { recursive: true, force: true });
  }
}

/** Of an entry and what lies directly in it: a folder's own time tells nothing about its files. */
async function lastChangeMs(entry: string): Promise<number> {
  const names = await readdir(entry).catch(() => []);
  const times = await Promise.all(
    [entry, ...names.map((name) => join(entry, name))].map((path) =>
      stat(path).then(
        (stats) => stats.mtimeMs,
        () => Date.now() // just removed: whoever does that is at work
      )
    )
  );
  return Math.max(...times);
}

/** A link inside the root that leads out of it would let a key write anywhere. */
async function refuseLinksOut(folder: LocalFolder, path: string, key: string): Promise<void> {
  const [root, real] = await Promise.all([realpath(folder.path), nearestRealPath(path)]);
  const inside = real === root || real.startsWith(root === sep ? sep : root + sep);
  if (inside) return;
  throw new PrefetchError('UnsafePath', `The key ${JSON.stringify(key)} leads out of ${folder.path} through a link`, {
    details: { key, path },
  });
}

async function nearestRealPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT') || path === dirname(path)) throw error;
    return nearestRealPath(dirname(path));
  }
}

/** A new name survives a power cut only when its folder is synced, and so does a new folder's. */
async function syncFolders(from: string, upTo: string): Promise<void> {
  for (let path = from; ; path = dirname(path)) {
    const handle = await open(path, 'r').catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return undefined; // removed again by another process
      throw error;
    });
    try {
      await handle?.sync();
    } catch (error) {
      // Some network file systems have no such thing for folders.
      if (!isSystemError(error, 'EINVAL', 'ENOTSUP', 'EISDIR')) throw error;
    } finally {
      await handle?.close();
    }
    if (path === upTo || path === dirname(path)) return;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false
  );
}
