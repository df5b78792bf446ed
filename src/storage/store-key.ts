import { PrefetchError } from '../core/errors.js';

/** Folder under a root where backends keep state of their own; it is never listed and takes no keys. */
export const HIDDEN_FOLDER = '.model-prefetch';

/** Fails as `UnsafePath` for a key that could leave the root, hide in it, or mean two things to two backends. */
export function checkKey(key: string): void {
  const problem = key === '' ? 'is empty' : unsafeReason(key, key.split('/'));
  if (problem !== undefined) throw unsafe('key', key, problem);
}

/** The same for a prefix, which may be empty and may end anywhere in a name. */
export function checkPrefix(prefix: string): void {
  if (prefix === '') return;
  const folders = prefix.split('/').slice(0, -1);
  const problem = unsafeReason(prefix, folders);
  if (problem !== undefined) throw unsafe('prefix', prefix, problem);
}

/** True for a key or folder of the backends' own. */
export function isHiddenKey(key: string): boolean {
  return key === HIDDEN_FOLDER || key.startsWith(`${HIDDEN_FOLDER}/`);
}

function unsafeReason(key: string, segments: readonly string[]): string | undefined {
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'has an empty, "." or ".." segment';
  }
  // eslint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'has a control character';
  if (/\p{Surrogate}/u.test(key)) return 'is no well-formed Unicode text';
  if (isHiddenKey(key)) return `lies in the store's own folder ${HIDDEN_FOLDER}/`;
  return undefined;
}

function unsafe(kind: string, key: string, problem: string): PrefetchError {
  const shown = key.slice(0, 200);
  return new PrefetchError('UnsafePath', `The ${kind} ${JSON.stringify(shown)} ${problem}`, {
    details: { key: shown },
  });
}
