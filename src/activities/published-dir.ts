import { createHash } from 'node:crypto';
import type { Dir, Manifest, PrefetchSpec } from '../core/contract.js';
import { manifestKey } from '../core/layout.js';
import { manifestSchema } from '../core/schemas/manifest.js';
import type { ObjectInfo, ObjectStore, RequestOptions } from '../storage/object-store.js';
import { objectUrl } from '../storage/store-url.js';

export interface PublishedDir {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
}

/** The manifest of a Dir, or undefined when there is none that this version can read. */
export async function readManifest(
  store: ObjectStore,
  dirKey: string,
  options: RequestOptions
): Promise<PublishedDir | undefined> {
  const bytes = await store.get(manifestKey(dirKey), options);
  if (bytes === undefined) return undefined;
  const parsed = manifestSchema.safeParse(parseJson(bytes));
  return parsed.success ? { manifest: parsed.data, bytes } : undefined;
}

/** The Dir that a manifest stands for, as this request knows it: the revision is the one asked for now. */
export function dirOf(
  store: ObjectStore,
  spec: Pick<PrefetchSpec, 'dirKey' | 'revision'>,
  { manifest, bytes }: PublishedDir
): Dir {
  const { sharding } = manifest;
  return {
    path: objectUrl(store.root, spec.dirKey),
    artifactName: manifest.artifactName,
    repo: manifest.repo,
    revision: spec.revision,
    commit: manifest.commit,
    format: manifest.format,
    fileCount: manifest.fileCount,
    totalBytes: manifest.totalBytes,
    manifestPath: objectUrl(store.root, manifestKey(spec.dirKey)),
    manifestDigest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    ...(sharding === undefined
      ? {}
      : {
          sharding: {
            engine: sharding.engine,
            tensorParallelSize: sharding.tensorParallelSize,
            dtype: sharding.dtype,
            vllmVersion: sharding.vllmVersion,
          },
        }),
  };
}

/** True when every object of a manifest is there as it was verified. */
export function isIntact({ files }: Manifest, objects: ReadonlyMap<string, ObjectInfo>): boolean {
  return files.every((file) => isUnchanged(objects, file));
}

/** False for what a forced run must not trust: anything that another force number brought. */
export function isTrusted({ force }: Pick<PrefetchSpec, 'force'>, manifest: Manifest): boolean {
  return force === undefined || manifest.force === force;
}

/** Every object under the Dir by its path in the repo; our own objects are there too. */
export async function listDir(
  store: ObjectStore,
  dirKey: string,
  options: RequestOptions
): Promise<Map<string, ObjectInfo>> {
  const objects = new Map<string, ObjectInfo>();
  for await (const object of store.list(dirKey, options)) objects.set(object.key.slice(dirKey.length), object);
  return objects;
}

/** True when the object at a path is the one that was verified: same size, same etag. */
export function isUnchanged(
  objects: ReadonlyMap<string, ObjectInfo>,
  file: { readonly path: string; readonly size: number; readonly etag?: string | undefined }
): boolean {
  const object = objects.get(file.path);
  return object !== undefined && object.size === file.size && object.etag === file.etag;
}

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
