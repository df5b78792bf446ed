import type { BigIntStats } from 'node:fs';

import type { ObjectInfo } from '../object-store.js';

/** Facts of a file as an object. A replaced file has another inode and time, so the etag tells the two apart. */
export function fileInfo(key: string, stats: BigIntStats): ObjectInfo {
  const etag = [stats.size, stats.mtimeNs, stats.ino].map((number) => number.toString(16)).join('-');
  return { key, size: Number(stats.size), etag };
}
