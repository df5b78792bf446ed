import type { BigIntStats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';

import type { ObjectInfo } from '../object-store.js';

/** Facts of a file as an object. A replaced file has another inode and time, so the etag tells the two apart. */
export function fileInfo(key: string, stats: BigIntStats): ObjectInfo {
  const etag = [stats.size, stats.mtimeNs, stats.ino].map((number) => number.toString(16)).join('-');
  return { key, size: Number(stats.size), etag };
}

/** Facts of what lies at a path; undefined for what is no file. Fails as the system does where there is nothing. */
export async function infoAt(path: string, key: string): Promise<ObjectInfo | undefined> {
  const stats = await lstat(path, { bigint: true });
  if (!stats.isSymbolicLink()) return stats.isFile() ? fileInfo(key, stats) : undefined;
  const target = await stat(path, { bigint: true });
  return target.isFile() ? { ...fileInfo(key, target), borrowed: true } : undefined;
}
