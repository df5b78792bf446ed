import type { Manifest, ManifestFile } from '../core/contract.js';
import { digestKey } from '../core/digest.js';
import { digestOf } from '../dir/published-dir.js';
import type { HubFile } from '../hub/hub.js';

/** Whether a manifest names all files that are wanted, with their digests. */
export function namesAll({ files }: Manifest, listing: readonly Pick<HubFile, 'path' | 'digest'>[]): boolean {
  const named = new Map(files.map((file) => [file.path, digestKey(digestOf(file))]));
  return listing.every(({ path, digest }) => named.get(path) === digestKey(digest));
}

/** Whether all that a manifest names is what the Hub lists, so that nothing under it will come to other bytes. */
export function namesOnly(manifest: Manifest, listing: readonly HubFile[]): boolean {
  return manifest.files.length > 0 && contradiction(manifest, listing) === undefined;
}

/** What a listing says of a file otherwise than a manifest that names it. */
export function contradiction({ files }: Manifest, listing: readonly HubFile[]): string | undefined {
  const listed = new Map(listing.map(({ path, digest }) => [path, digestKey(digest)]));
  for (const file of files) {
    const told = listed.get(file.path);
    const named = digestKey(digestOf(file));
    const path = JSON.stringify(file.path.slice(0, 200));
    if (told === undefined) return `does not list ${path}, which the manifest names`;
    if (told !== named) return `lists ${path} with ${told}, which the manifest names with ${named}`;
  }
  return undefined;
}

/**
 * What was told of files, with the digests of a manifest that vouches for them where another algorithm was told: the two
 * cannot be compared, and a commit never changes.
 */
export function asVouched<T extends HubFile>(told: readonly T[], vouched: readonly ManifestFile[]): T[] {
  const named = new Map(vouched.map((file) => [file.path, { size: file.size, digest: digestOf(file) }]));
  return told.map((file) => {
    const known = named.get(file.path);
    const isOther = known?.size === file.size && known.digest.algorithm !== file.digest.algorithm;
    return isOther ? { ...file, digest: known.digest } : file;
  });
}
