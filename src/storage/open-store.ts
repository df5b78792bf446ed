import { parseStoreUrl } from './store-url.js';
import type { ObjectStore } from './object-store.js';

/** What configuration says about stores; everything else comes from the URL and the backend's own environment. */
export interface StoreOptions {
  readonly s3?: S3Options;
}

/** Settings on top of the standard AWS environment and profiles, which the AWS SDK reads by itself. */
export interface S3Options {
  /** URL of an S3-compatible store; default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or AWS itself. */
  readonly endpoint?: string;
  /** Bucket in the path instead of the host name; default: true for every endpoint that is not AWS. */
  readonly forcePathStyle?: boolean;
  readonly region?: string;
  /** Profile of the shared AWS configuration; default: AWS_PROFILE. */
  readonly profile?: string;
  /** Fixed keys, for tests and embedders; default: the SDK's own chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Longest time without a byte before a request is given up; default 30 s. */
  readonly stallMs?: number;
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
