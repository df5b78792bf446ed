import type { ObjectStore } from './object-store.js';
import type { S3Options } from './s3/s3-options.js';
import { parseStoreUrl } from './store-url.js';

/** What configuration says about stores; everything else comes from the URL and the backend's own environment. */
export interface StoreOptions {
  readonly s3?: S3Options;
}

/** Opens the store at a root such as `s3://bucket/models` or `file:///data/models`. Nothing is asked of it yet. */
export async function openStore(root: string, options: StoreOptions = {}): Promise<ObjectStore> {
  const url = parseStoreUrl(root);
  // A backend's SDK is loaded only by those who use it: a local store starts without the AWS SDK.
  switch (url.scheme) {
    case 's3': {
      const { openS3Store } = await import('./s3/s3-store.js');
      return openS3Store(url, options.s3 ?? {});
    }
    case 'file': {
      const { openLocalStore } = await import('./local/local-store.js');
      return openLocalStore(url.path);
    }
  }
}
