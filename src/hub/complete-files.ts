import { PrefetchError } from '../core/errors.js';
import { mapAtOnce } from '../tasks/for-each-at-once.js';
import type { FileFacts, FileReference, Hub, HubFile, HubOptions, ListedFile } from './hub.js';

/** Requests wait for round trips and carry nothing. */
const ASKED_AT_ONCE = 16;

/**
 * Files of a listing with size and digest, asked for one by one where a mirror lists less than the Hub does. One of which
 * nobody says a digest is refused by its name: its bytes could not be told from wrong ones.
 */
export async function completeFiles(
  hub: Hub,
  { repo, commit }: Pick<FileReference, 'repo' | 'commit'>,
  { files, ...options }: HubOptions & { readonly files: readonly ListedFile[] }
): Promise<HubFile[]> {
  return mapAtOnce(files, { limit: ASKED_AT_ONCE, signal: options.signal }, async (listed, { signal }) => {
    const whole = asHubFile(listed.path, listed);
    if (whole !== undefined) return whole;
    const reference = { repo, commit, ...listed };
    const facts = await hub.describe(reference, { ...options, signal });
    // Who says the digest says the size too, where both are said.
    const told = listed.digest === undefined ? { ...listed, ...facts } : { ...facts, ...listed };
    const file = asHubFile(listed.path, told);
    if (file === undefined) throw unknownBytes(hub, reference, told);
    return file;
  });
}

function asHubFile(path: string, { size, digest }: FileFacts): HubFile | undefined {
  return size === undefined || digest === undefined ? undefined : { path, size, digest };
}

function unknownBytes({ endpoint }: Hub, { repo, commit, path }: FileReference, { digest }: FileFacts): PrefetchError {
  const missing = digest === undefined ? 'digest' : 'size';
  const name = JSON.stringify(path.slice(0, 200));
  return new PrefetchError(
    'HubProtocol',
    `${endpoint} says no ${missing} of ${name} of ${repo}@${commit}, so that its bytes could not be checked: expected a ` +
      'SHA-256 or a git SHA-1 and a size in its listing, or in X-Linked-ETag and X-Linked-Size or ETag and Content-Length ' +
      'of the file. Leave it out (exclude, --exclude), or set HF_ENDPOINT to a Hub that says them.',
    { details: { endpoint, repo, revision: commit, path: path.slice(0, 200) } }
  );
}
