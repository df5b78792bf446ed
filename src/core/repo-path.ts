import { utf8ToBytes } from '@noble/hashes/utils.js';
import { PrefetchError } from './errors.js';
import { isReservedPath } from './keys.js';

/** S3 and most others refuse keys over 1,024 bytes; the rest is for the root and the Dir. */
const MAX_PATH_BYTES = 900;

/** What may be done about a file that cannot be stored under its name. */
export const LEAVE_IT_OUT = 'Leave it out with a glob (exclude, --exclude)';

/** Fails as `UnsafePath` for a path that could leave the Dir or hide in it. Everything else is kept as it is. */
export function checkRepoPath(path: string): void {
  const problem = unsafePathReason(path);
  if (problem === undefined) return;
  throw new PrefetchError(
    'UnsafePath',
    `The repo lists a path that ${problem}: ${JSON.stringify(path.slice(0, 200))}. ${LEAVE_IT_OUT}`,
    {
      details: { path: path.slice(0, 200) },
    }
  );
}

/** Whether no git tree can hold the path, so that whoever lists it is not to be believed. */
export function isImpossiblePath(path: string): boolean {
  return path.split('/').some((segment) => ['', '.', '..'].includes(segment));
}

/** Whether the key that a Dir and a path make lies in the Dir. */
export function staysInDir(path: string): boolean {
  return !hasControls(path) && !isImpossiblePath(path);
}

/** What is wrong with a path that could leave the Dir or hide in it, as in "a path that …"; undefined for any other. */
export function unsafePathReason(path: string): string | undefined {
  if (path === '') return 'is empty';
  // Half of a surrogate pair has no UTF-8, so neither a URL nor a key can hold it.
  if (/\p{Surrogate}/u.test(path)) return 'is no well-formed Unicode';
  if (utf8ToBytes(path).length > MAX_PATH_BYTES) return `has over ${String(MAX_PATH_BYTES)} bytes`;
  if (path.startsWith('/') || path.includes('\\')) return 'is absolute or has a backslash';
  if (hasControls(path)) return 'has a control character';
  if (!staysInDir(path)) return 'has an empty, "." or ".." segment';
  if (isReservedPath(path)) return "uses this tool's own folder .prefetch/";
  return undefined;
}

function hasControls(path: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f]/.test(path);
}
