import type { Digest } from '../../core/digest.js';
import { PrefetchError } from '../../core/errors.js';

/** The failure of a file whose bytes are not those that the Hub lists, or not those that were sent. */
export function digestMismatch(
  { path, digest }: { readonly path: string; readonly digest?: Digest },
  { expected, got }: { readonly expected: string | undefined; readonly got: string }
): PrefetchError {
  const algorithm = digest?.algorithm ?? 'sha256';
  const whose = digest === undefined ? 'what was sent is' : 'the Hub lists';
  return new PrefetchError(
    'DigestMismatch',
    `The bytes of ${path} come to ${algorithm}:${got}, and ${whose} ${algorithm}:${expected ?? ''}; none of it is published`,
    { details: { path, expected: `${algorithm}:${expected ?? ''}`, got: `${algorithm}:${got}` } }
  );
}
