import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { ObjectInfo, RequestOptions } from '../object-store.js';
import { checkPrefix, isHiddenKey } from '../store-key.js';
import { isSystemError } from './file-errors.js';
import type { LocalFolder } from './local-folder.js';
import { infoAt } from './local-info.js';

/** Files asked about at once: enough to hide the latency of a network file system. */
const STATS_AT_ONCE = 64;

interface Entry {
  readonly key: string;
  readonly isFolder: boolean;
}

/** All files under a prefix, in the order of their keys' UTF-8 bytes; one folder at a time is in memory. */
export async function* listFiles(
  folder: LocalFolder,
  prefix: string,
  options: RequestOptions = {}
): AsyncGenerator<ObjectInfo> {
  checkPrefix(prefix);
  yield* walk(folder, prefix, prefix.slice(0, prefix.lastIndexOf('/') + 1), options);
}

/** Names of the folders directly under a prefix that hold at least one file. */
export async function* listFileFolders(
  folder: LocalFolder,
  prefix: string,
  options: RequestOptions = {}
): AsyncGenerator<string> {
  checkPrefix(prefix);
  for (const entry of await entriesOf(folder, prefix)) {
    options.signal?.throwIfAborted();
    if (!entry.isFolder) continue;
    const first = await walk(folder, entry.key, entry.key, options).next();
    if (first.done !== true) yield entry.key.slice(prefix.length, -1);
  }
}

async function* walk(
  folder: LocalFolder,
  prefix: string,
  parent: string,
  options: RequestOptions
): AsyncGenerator<ObjectInfo> {
  const entries = (await entriesOf(folder, parent)).filter(
    ({ key, isFolder }) => key.startsWith(prefix) || (isFolder && prefix.startsWith(key))
  );
  for (let at = 0; at < entries.length;) {
    options.signal?.throwIfAborted();
    const entry = entries[at];
    if (entry?.isFolder === true) {
      yield* walk(folder, prefix, entry.key, options);
      at++;
      continue;
    }
    const files = filesFrom(entries, at);
    at += files.length;
    for (const info of await Promise.all(files.map(({ key }) => infoOf(folder, key)))) {
      if (info !== undefined) yield info;
    }
  }
}

/** The next files up to a folder: a folder's keys stand between its neighbours'. */
function filesFrom(entries: readonly Entry[], at: number): readonly Entry[] {
  const run = entries.slice(at, at + STATS_AT_ONCE);
  const firstFolder = run.findIndex(({ isFolder }) => isFolder);
  return firstFolder === -1 ? run : run.slice(0, firstFolder);
}

async function entriesOf(folder: LocalFolder, parent: string): Promise<Entry[]> {
  const dirents = await readdir(join(folder.path, parent), { withFileTypes: true }).catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  });
  return dirents
    .filter((dirent) => isListed(parent, dirent))
    .map((dirent) => ({
      key: `${parent}${dirent.name}${dirent.isDirectory() ? '/' : ''}`,
      isFolder: dirent.isDirectory(),
    }))
    .map((entry) => ({ entry, bytes: Buffer.from(entry.key) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ entry }) => entry);
}

/** Links to folders are left out: one that points upwards would make the list endless. */
function isListed(parent: string, dirent: Dirent): boolean {
  if (isHiddenKey(parent + dirent.name)) return false;
  return dirent.isFile() || dirent.isDirectory() || dirent.isSymbolicLink();
}

/** A file may go between the listing of its folder and the question about it. */
async function infoOf(folder: LocalFolder, key: string): Promise<ObjectInfo | undefined> {
  return infoAt(join(folder.path, key), key).catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  });
}
