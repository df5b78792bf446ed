import type { Manifest, ManifestFile } from '../core/contract.js';
import type { Digest } from '../core/digest.js';
import { manifestKey } from '../core/layout.js';
import type { ObjectInfo, ObjectStore, RequestOptions } from '../storage/object-store.js';
import { forEachAtOnce } from '../tasks/for-each-at-once.js';
import { hashObject } from '../transfer/verify-object.js';
import { changedFiles, listDirNow } from './dir-objects.js';
import { encodeJson } from './plan-objects.js';
import { parseJson, readManifest, type PublishedDir } from './published-dir.js';

/** A Dir as it is in the store. */
export interface InspectedDir {
  readonly objects: ReadonlyMap<string, ObjectInfo>;
  readonly published: PublishedDir | undefined;
  /** A manifest is there, and every object that it names is what it says. */
  readonly intact: boolean;
}

/** How a Dir is looked at. */
export interface InspectOptions extends RequestOptions {
  /** Whether a manifest may be written anew where equal bytes lie under other etags than it has. */
  readonly mayRepair: (manifest: Manifest) => boolean;
}

const READS_AT_ONCE = 4;

/**
 * Compares a Dir with its manifest. Size and etag of the objects prove that it is intact. Where an etag alone differs, as
 * after equal bytes were written again or a file was touched, the bytes decide.
 */
export async function inspectDir(store: ObjectStore, dirKey: string, options: InspectOptions): Promise<InspectedDir> {
  const published = await readManifest(store, dirKey, options);
  const files = published?.manifest.files ?? [];
  const objects = await listDirNow(store, dirKey, files, options);
  if (published === undefined) return { objects, published, intact: false };
  const changed = changedFiles(objects, files);
  if (changed.length === 0) return { objects, published, intact: true };
  const hasAll = changed.every(({ path, size }) => objects.get(path)?.size === size);
  if (!hasAll || !(await areRight(store, dirKey, changed, options))) return { objects, published, intact: false };
  const renewed = withEtags(published, objects);
  if (options.mayRepair(published.manifest)) await replaceManifest(store, dirKey, { old: published, renewed }, options);
  return { objects, published: renewed, intact: true };
}

/** The digest that a manifest names for a file. */
export function digestOf(file: ManifestFile): Digest {
  return file.sha256 === undefined
    ? { algorithm: 'gitSha1', hex: file.gitSha1 ?? '' }
    : { algorithm: 'sha256', hex: file.sha256 };
}

async function areRight(
  store: ObjectStore,
  dirKey: string,
  files: readonly ManifestFile[],
  { signal }: RequestOptions
): Promise<boolean> {
  let right = true;
  await forEachAtOnce(files, { limit: READS_AT_ONCE, signal }, async (file, inner) => {
    if (!right) return;
    const { algorithm, hex } = digestOf(file);
    const object = { key: `${dirKey}${file.path}`, size: file.size, algorithm };
    if ((await hashObject(store, object, inner)) !== hex) right = false;
  });
  return right;
}

/** Made of the bytes that were read, so that what a later version wrote into it stays. */
function withEtags({ manifest, bytes }: PublishedDir, objects: ReadonlyMap<string, ObjectInfo>): PublishedDir {
  const renew = <T extends { readonly path: string }>(file: T): T => {
    const etag = objects.get(file.path)?.etag;
    return etag === undefined ? file : { ...file, etag };
  };
  const raw = parseJson(bytes) as Manifest;
  return {
    manifest: { ...manifest, files: manifest.files.map(renew) },
    bytes: encodeJson({ ...raw, files: raw.files.map(renew) }),
  };
}

async function replaceManifest(
  store: ObjectStore,
  dirKey: string,
  { old, renewed }: { readonly old: PublishedDir; readonly renewed: PublishedDir },
  { signal }: RequestOptions
): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  const now = await store.get(manifestKey(dirKey), options);
  // Another run has published meanwhile: its word counts.
  if (now === undefined || Buffer.compare(now, old.bytes) !== 0) return;
  await store.put(manifestKey(dirKey), renewed.bytes, { ...options, contentType: 'application/json' });
}
