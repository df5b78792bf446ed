import type { PrefetchSpec } from '../core/contract.js';
import { digestKey } from '../core/digest.js';
import { manifestKey } from '../core/keys.js';
import { manifestFileSchema } from '../core/schemas/manifest.js';
import { parseJson } from '../dir/json-objects.js';
import { digestOf } from '../dir/published-dir.js';
import type { HubFile } from '../hub/hub.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import { forEachAtOnce } from '../tasks/for-each-at-once.js';

/** An object of another Dir, and the etag under which its bytes were verified there. */
export interface Twin {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
}

const MANIFESTS_AT_ONCE = 16;

/**
 * Objects of other Dirs of the same artifact, by digest: what a new commit did not change need not be fetched. Their
 * manifests are hints, so one that cannot be read, or names what it may not, is passed over.
 */
export async function findElsewhere(
  store: ObjectStore,
  spec: Pick<PrefetchSpec, 'artifactName' | 'dirKey'>,
  wanted: readonly HubFile[],
  options: RequestOptions
): Promise<ReadonlyMap<string, Twin>> {
  const twins = new Map<string, Twin>();
  const digests = new Set(wanted.filter(({ size }) => size > 0).map(({ digest }) => digestKey(digest)));
  if (digests.size === 0) return twins;
  const dirKeys: string[] = [];
  for await (const folder of store.listFolders(`${spec.artifactName}/`, options)) {
    const dirKey = `${spec.artifactName}/${folder}/`;
    if (dirKey !== spec.dirKey) dirKeys.push(dirKey);
  }
  await forEachAtOnce(dirKeys, { limit: MANIFESTS_AT_ONCE, ...options }, async (dirKey, inner) => {
    const bytes = await store.get(manifestKey(dirKey), inner);
    for (const twin of bytes === undefined ? [] : twinsIn(parseJson(bytes), { dirKey, digests })) {
      twins.set(twin.digest, twin);
    }
  });
  return twins;
}

/** A manifest may have 20,000 files, and an artifact a hundred manifests: only the entries that are wanted are checked. */
function twinsIn(
  manifest: unknown,
  { dirKey, digests }: { readonly dirKey: string; readonly digests: ReadonlySet<string> }
): (Twin & { readonly digest: string })[] {
  if (typeof manifest !== 'object' || manifest === null || !('files' in manifest)) return [];
  const files: readonly unknown[] = Array.isArray(manifest.files) ? manifest.files : [];
  return files
    .filter((entry) => digests.has(claimedDigest(entry)))
    .flatMap((entry) => {
      const { data: file } = manifestFileSchema.safeParse(entry);
      if (file?.etag === undefined) return [];
      const { path, size, etag } = file;
      return [{ key: `${dirKey}${path}`, size, etag, digest: digestKey(digestOf(file)) }];
    });
}

function claimedDigest(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null) return '';
  if ('sha256' in entry && typeof entry.sha256 === 'string') return `sha256:${entry.sha256}`;
  return 'gitSha1' in entry && typeof entry.gitSha1 === 'string' ? `gitSha1:${entry.gitSha1}` : '';
}
