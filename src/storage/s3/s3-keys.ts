import { HIDDEN_FOLDER, checkKey, isHiddenKey } from '../store-key.js';
import type { S3Connection } from './s3-connection.js';

/** The key in the bucket for a key under the root. */
export function fullKeyOf(connection: S3Connection, key: string): string {
  checkKey(key);
  return connection.prefix + key;
}

/** The key under the root, or undefined for what is no object of ours: folder markers and our own scratch objects. */
export function keyOf(connection: S3Connection, fullKey: string | undefined): string | undefined {
  if (fullKey?.startsWith(connection.prefix) !== true) return undefined;
  const key = fullKey.slice(connection.prefix.length);
  return key === '' || key.endsWith('/') || isHiddenKey(key) ? undefined : key;
}

/** A key for a probe, in the bucket, which no list shows. */
export function scratchKey(connection: S3Connection, name: string): string {
  return `${connection.prefix}${HIDDEN_FOLDER}/${name}`;
}

/** Etags come with quotes or without, by store and by operation. */
export function plainEtag(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}
