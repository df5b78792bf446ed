import { constants, createReadStream, createWriteStream } from 'node:fs';
import { copyFile, open, readFile, rm, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { PrefetchError } from '../../core/errors.js';
import { MiB } from '../../core/units.js';
import type { ObjectInfo, PutOptions, RequestOptions } from '../object-store.js';
import { isSystemError } from './file-errors.js';
import {
  keyPath,
  publishFile,
  publishNewFile,
  removeEmptyFolders,
  scratchPath,
  type LocalFolder,
} from './local-folder.js';
import { fileInfo, infoAt } from './local-info.js';

/** Facts of the file at a key, or undefined where there is none (a folder is none). */
export async function headFile(folder: LocalFolder, key: string): Promise<ObjectInfo | undefined> {
  const path = keyPath(folder, key);
  return orUndefined(() => infoAt(path, key));
}

/** The bytes of the file at a key, or undefined where there is none. */
export async function readObject(
  folder: LocalFolder,
  key: string,
  options: RequestOptions
): Promise<Uint8Array | undefined> {
  const path = keyPath(folder, key);
  const { signal } = options;
  return orUndefined(() => readFile(path, signal === undefined ? {} : { signal }));
}

/** Writes beside the key, syncs and renames; or links, where it may replace nothing. */
export async function writeObject(
  folder: LocalFolder,
  key: string,
  body: Uint8Array,
  { ifAbsent = false }: PutOptions = {}
): Promise<ObjectInfo> {
  keyPath(folder, key);
  const write = async (path: string): Promise<void> => {
    const handle = await open(path, 'wx');
    try {
      await handle.writeFile(body);
    } finally {
      await handle.close();
    }
  };
  return throughScratch(folder, key, write, ifAbsent ? publishAbsent : publishFile);
}

/** Removes the file at a key and the folders that this leaves empty. */
export async function removeObject(folder: LocalFolder, key: string): Promise<void> {
  const path = keyPath(folder, key);
  if ((await headFile(folder, key)) === undefined) return;
  await orUndefined(() => unlink(path));
  await removeEmptyFolders(folder, dirname(path));
}

/** Copies by reference where the file system can (XFS, Btrfs, APFS), else byte for byte. */
export async function copyObject(
  folder: LocalFolder,
  copy: { readonly from: string; readonly to: string; readonly ifMatch?: string; readonly ifAbsent?: boolean },
  options: RequestOptions
): Promise<ObjectInfo> {
  keyPath(folder, copy.to);
  const source = await sourceOf(folder, copy);
  const publish = copy.ifAbsent === true ? publishAbsent : publishFile;
  return throughScratch(
    folder,
    copy.to,
    async (path) => {
      await cloneOrCopy(keyPath(folder, copy.from), path, options);
      // The source may have been replaced while its bytes were read.
      await sourceOf(folder, { from: copy.from, ifMatch: source.etag });
    },
    publish
  );
}

/** As the port has it: `ObjectExists` where something has the key. */
export async function publishAbsent(folder: LocalFolder, from: string, key: string): Promise<void> {
  try {
    await publishNewFile(folder, from, key);
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
    throw new PrefetchError('ObjectExists', `${JSON.stringify(key)} in ${folder.path} was written by somebody else`, {
      details: { key },
    });
  }
}

/** Makes a file's bytes safe on the disk. `fdatasync` is enough: it writes the size too, only times may be lost. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

async function throughScratch(
  folder: LocalFolder,
  key: string,
  write: (path: string) => Promise<void>,
  publish = publishFile
): Promise<ObjectInfo> {
  const path = await scratchPath(folder);
  try {
    await write(path);
    await syncFile(path);
    // Asked before the rename: afterwards the key may be somebody else's already.
    const info = fileInfo(key, await stat(path, { bigint: true }));
    await publish(folder, path, key);
    return info;
  } finally {
    await rm(path, { force: true });
  }
}

async function sourceOf(
  folder: LocalFolder,
  { from, ifMatch }: { readonly from: string; readonly ifMatch?: string }
): Promise<ObjectInfo> {
  const source = await headFile(folder, from);
  if (source === undefined) {
    throw new PrefetchError('ObjectNotFound', `There is no ${JSON.stringify(from)} in ${folder.path} to copy`, {
      details: { key: from },
    });
  }
  if (ifMatch !== undefined && source.etag !== ifMatch) {
    throw new PrefetchError('StoreConflict', `${JSON.stringify(from)} in ${folder.path} was replaced by another one`, {
      details: { key: from },
    });
  }
  return source;
}

async function cloneOrCopy(from: string, to: string, { signal }: RequestOptions): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return;
  } catch (error) {
    if (!isSystemError(error, 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY')) throw error;
  }
  // Not copyFile: a long copy must end when its caller does.
  const highWaterMark = MiB;
  await pipeline(createReadStream(from, { highWaterMark }), createWriteStream(to, { highWaterMark }), {
    ...(signal === undefined ? {} : { signal }),
  });
}

async function orUndefined<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined;
    throw error;
  }
}
