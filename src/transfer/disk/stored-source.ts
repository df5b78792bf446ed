import type { Digest } from '../../core/digest.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import type { ObjectStore } from '../../storage/object-store.js';
import type { Download } from './download-file.js';

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
      const { url, headers, ca } = target;
      return { url, headers, expiresAt: 0, ...(ca === undefined ? {} : { ca }) };
    },
    judge: (answer) => store.readFailure(answer, key),
  };
}

/** The failure of a download, where the bytes come from the store. */
export async function asDirFailure(error: unknown, store: ObjectStore, key: string): Promise<unknown> {
  if (isPrefetchError(error, 'DigestMismatch')) return notIntact(key, 'its bytes do not come to its digest');
  if (isPrefetchError(error, 'ObjectNotFound')) return notIntact(key, 'it is gone');
  return error instanceof Error ? await store.readFailure(error, key) : error;
}

/** The failure of a Dir that is not what its manifest says any more. */
export function notIntact(key: string, problem: string): PrefetchError {
  return new PrefetchError(
    'DirNotIntact',
    `${key} in the store is not what was verified: ${problem}. Run the prefetch again: it brings what is missing, or all of it with a new --force number`,
    { details: { key } }
  );
}
