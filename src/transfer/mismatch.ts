import { digestKey, type Digest } from '../core/digest.js';
import { PrefetchError } from '../core/errors.js';

/** The failure of a file whose bytes are not those that the Hub lists. */
export function digestMismatch(file: { readonly path: string; readonly digest: Digest }, got: string): PrefetchError {
  const expected = digestKey(file.digest);
  return new PrefetchError(
    'DigestMismatch',
    `The bytes of ${file.path} come to ${file.digest.algorithm}:${got}, and the Hub lists ${expected}; nothing was kept`,
    { details: { path: file.path, expected, got: `${file.digest.algorithm}:${got}` } }
  );
}
