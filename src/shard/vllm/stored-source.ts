import type { Digest } from '../../core/digest.js';
import { isPrefetchError, PrefetchError, rewrap, type ErrorCode } from '../../core/errors.js';
import type { ObjectStore } from '../../storage/object-store.js';
import type { Download } from '../../transfer/download-file.js';

/** An object of a store as a source to download from; each request is signed anew. */
export function openStoredSource(
  store: ObjectStore,
  key: string,
  { path, size, digest }: { readonly path: string; readonly size: number; readonly digest: Digest }
): Download['source'] {
  return {
    path,
    size,
    digest,
    locate: async ({ signal }) => {
      const target = await store.readTarget(key, { signal });
      if (target.kind === 'file') throw new PrefetchError('Internal', `${key} lies on this machine`);
      return { url: target.url, headers: target.headers, expiresAt: 0 };
    },
  };
}

// The mover speaks of the Hub; here the source is the store.
const storeCodes: Partial<Record<ErrorCode, ErrorCode>> = {
  SourceUnavailable: 'StoreUnavailable',
  SourceStalled: 'StoreUnavailable',
  TruncatedSource: 'StoreUnavailable',
  HubProtocol: 'StoreUnavailable',
  RateLimited: 'StoreUnavailable',
};

/** The failure of a download, where the bytes come from the store. */
export function asDirFailure(error: unknown, key: string): unknown {
  if (!isPrefetchError(error)) return error;
  if (error.code === 'DigestMismatch') return notIntact(key, 'its bytes do not come to its digest');
  if (error.details['status'] === 404) return notIntact(key, 'it is gone');
  const code = storeCodes[error.code];
  return code === undefined ? error : rewrap(error, { code, text: `${key} cannot be read: ${error.message}` });
}

/** The failure of a Dir that is not what its manifest says any more. */
export function notIntact(key: string, problem: string): PrefetchError {
  return new PrefetchError(
    'DirNotIntact',
    `${key} in the store is not what was verified: ${problem}. Run the prefetch again: it brings what is missing, or all of it with a new --force number`,
    { details: { key } }
  );
}
