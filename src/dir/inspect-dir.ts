import type { Manifest, ManifestFile } from '../core/contract.js';
import type { RequestOptions } from '../storage/object-store.js';
import { forEachAtOnce } from '../tasks/for-each-at-once.js';
import { hashObject } from '../transfer/read/verify-object.js';
import { changedFiles, listDirNow, type DirObjects } from './dir-objects.js';
import type { DirPlace } from './dir-place.js';
import { encodeJson, parseJson } from './json-objects.js';
import { digestOf, type PublishedDir } from './published-dir.js';
import { replaceManifest } from './write-manifest.js';

/** A Dir as the store lists it, beside its manifest. */
export interface ComparedDir {
  readonly objects: DirObjects;
  readonly published: PublishedDir | undefined;
  /** What the manifest names, and what is not there with the size and the etag that it has. */
  readonly changed: readonly ManifestFile[];
}

/** A Dir as it is in the store; intact: a manifest is there, and every object that it names is what it says. */
export type InspectedDir =
  | { readonly intact: true; readonly published: PublishedDir; readonly objects: DirObjects }
  | { readonly intact: false; readonly published: PublishedDir | undefined; readonly objects: DirObjects };

/** How a Dir is inspected. */
export interface InspectOptions extends RequestOptions {
  /**
   * Whether a manifest may be written anew where equal bytes lie under other etags than it has.
   *
   * @default never
   */
  readonly mayRepair?: (manifest: Manifest) => boolean;
}

const READS_AT_ONCE = 4;

/** Lists a Dir and compares size and etag of what its manifest names. */
export async function compareDir(
  place: DirPlace,
  published: PublishedDir | undefined,
  options: RequestOptions
): Promise<ComparedDir> {
  const files = published?.manifest.files ?? [];
  const objects = await listDirNow(place, files, options);
  return { objects, published, changed: changedFiles(objects, files) };
}

/**
 * Compares a Dir with its manifest. Size and etag of the objects prove that it is intact. Where an etag alone differs, as
 * after equal bytes were written again or a file was touched, the bytes decide.
 */
export async function inspectDir(
  place: DirPlace,
  published: PublishedDir | undefined,
  { mayRepair = () => false, ...options }: InspectOptions
): Promise<InspectedDir> {
  const { objects, changed } = await compareDir(place, published, options);
  if (published === undefined) return { objects, published, intact: false };
  if (changed.length === 0) return { objects, published, intact: true };
  const hasAll = changed.every(({ path, size }) => objects.get(path)?.size === size);
  if (!hasAll || !(await areRight(place, changed, options))) return { objects, published, intact: false };
  const renewed = withEtags(published, objects);
  if (mayRepair(published.manifest)) await replaceManifest(place, { old: published, renewed }, options);
  return { objects, published: renewed, intact: true };
}

async function areRight(
  { store, dirKey }: DirPlace,
  files: readonly ManifestFile[],
  options: RequestOptions
): Promise<boolean> {
  let right = true;
  await forEachAtOnce(files, { limit: READS_AT_ONCE, ...options }, async (file, inner) => {
    if (!right) return;
    const { algorithm, hex } = digestOf(file);
    const object = { key: `${dirKey}${file.path}`, size: file.size, algorithm };
    if ((await hashObject(store, object, inner)) !== hex) right = false;
  });
  return right;
}

/** Made of the bytes that were read, so that what a later version wrote into it stays. */
function withEtags({ manifest, bytes }: PublishedDir, objects: DirObjects): PublishedDir {
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
