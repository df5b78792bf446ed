import { PrefetchError } from '../../core/errors.js';
import { withoutSecrets } from '../../core/foreign-text.js';
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

/** What stores give: the digest of some bytes, and how many parts there were. */
const SHORT_ETAG = /^[0-9a-f]{0,64}(?:-\d{1,5})?$/i;
const MOST_ETAG = 1024;

/** Etags come with quotes or without, by store and by operation. They are kept in manifests, so what they say is looked at. */
export function plainEtag(etag: string | undefined): string {
  const plain = (etag ?? '').replaceAll('"', '');
  if (SHORT_ETAG.test(plain) || (plain.length <= MOST_ETAG && withoutSecrets(plain) === plain)) return plain;
  throw new PrefetchError('StoreUnavailable', 'The store gave an ETag that is too long, or has a secret in it');
}
