import { PrefetchError } from '../../core/errors.js';
import type { ObjectStore } from '../object-store.js';
import type { S3Options } from '../open-store.js';
import type { StoreUrl } from '../store-url.js';

/** Opens an S3 bucket, or a prefix of it, as a store. */
export function openS3Store(url: StoreUrl & { readonly scheme: 's3' }, options: S3Options): ObjectStore {
  throw new PrefetchError('UnsupportedStore', `s3://${url.bucket} ${Object.keys(options).join()}`);
}
