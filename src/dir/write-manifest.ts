import type { Manifest } from '../core/contract.js';
import { isPrefetchError } from '../core/errors.js';
import { manifestKey } from '../core/keys.js';
import type { RequestOptions } from '../storage/object-store.js';
import type { DirPlace } from './dir-place.js';
import { encodeJson, writeJsonBytes } from './json-objects.js';
import type { PublishedDir } from './published-dir.js';

/** Publishes a Dir: from now on its files are what this manifest says. */
export async function writeManifest(
  { store, dirKey }: DirPlace,
  manifest: Manifest,
  options: RequestOptions
): Promise<PublishedDir> {
  const bytes = encodeJson(manifest);
  await writeJsonBytes(store, manifestKey(dirKey), bytes, options);
  return { manifest, bytes };
}

/** Writes a manifest in the place of another one, unless another run has published meanwhile: its word counts. */
export async function replaceManifest(
  place: DirPlace,
  { old, renewed }: { readonly old: PublishedDir; readonly renewed: PublishedDir },
  options: RequestOptions
): Promise<void> {
  const { store, dirKey } = place;
  const key = manifestKey(dirKey);
  const { putIfMatch } = await store.capabilities(options);
  // Asked before its bytes are looked at: whatever comes in between has another etag.
  const before = putIfMatch ? await store.head(key, options) : undefined;
  if (!(await isStill(place, old, options))) return;
  const condition = before === undefined ? {} : { ifMatch: before.etag };
  // A Dir is as good with the old etags, and whoever may only read it reads its bytes again.
  await writeJsonBytes(store, key, renewed.bytes, { ...options, ...condition }).catch((error: unknown) => {
    if (!isPrefetchError(error) || !(error.permanent || error.code === 'StoreConflict')) throw error;
  });
}

/** Removes the manifest of a Dir that is not what it says, unless another run has written a new one meanwhile. */
export async function withdrawManifest(
  place: DirPlace,
  published: PublishedDir,
  options: RequestOptions
): Promise<void> {
  if (await isStill(place, published, options)) await place.store.delete(manifestKey(place.dirKey), options);
}

async function isStill(
  { store, dirKey }: DirPlace,
  { bytes }: PublishedDir,
  options: RequestOptions
): Promise<boolean> {
  const now = await store.get(manifestKey(dirKey), options);
  return now !== undefined && Buffer.compare(now, bytes) === 0;
}
