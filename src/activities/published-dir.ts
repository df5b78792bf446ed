import { createHash } from 'node:crypto';
import type { Dir, Manifest, PrefetchSpec } from '../core/contract.js';
import { isPrefetchError, PrefetchError, rewrap } from '../core/errors.js';
import { manifestKey } from '../core/layout.js';
import { readManifestValue } from '../core/schemas/read-manifest.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import { objectUrl } from '../storage/store-url.js';

/** A manifest with the very bytes that its digest is of. */
export interface PublishedDir {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
}

/**
 * The manifest of a Dir, or undefined where there is none. One that this version cannot read fails as
 * `ManifestUnreadable`: it may be that of a good Dir, so nobody who cannot read it may withdraw or replace it.
 */
export async function readManifest(
  store: ObjectStore,
  dirKey: string,
  options: RequestOptions
): Promise<PublishedDir | undefined> {
  const bytes = await store.get(manifestKey(dirKey), options);
  if (bytes === undefined) return undefined;
  const read = readManifestValue(parseJson(bytes));
  if ('manifest' in read) return { manifest: read.manifest, bytes };
  throw unreadable(`${store.root}${manifestKey(dirKey)}`, read);
}

/** For those who only look at a Dir: what cannot be read is not intact. */
export function asNotIntact(error: unknown): never {
  if (!isPrefetchError(error, 'ManifestUnreadable')) throw error;
  throw rewrap(error, {
    code: 'DirNotIntact',
    text: `There is no manifest that can be read, but a manifest that this version cannot read: ${error.text}`,
  });
}

function unreadable(
  place: string,
  { problem, version }: { readonly problem: string; readonly version?: number }
): PrefetchError {
  const newer = version !== undefined && version > 1;
  return new PrefetchError(
    'ManifestUnreadable',
    newer
      ? `${place} is a manifest of version ${String(version)}, and this release reads version 1: update the workers`
      : `${place} is no manifest that this release can read (${problem}). It is left as it is: ` +
          'update the workers, or remove it to have the model brought anew',
    { details: { key: place, version } }
  );
}

/** Removes the manifest of a Dir that is not what it says, unless another run has written a new one meanwhile. */
export async function withdraw(
  store: ObjectStore,
  dirKey: string,
  { bytes }: PublishedDir,
  options: RequestOptions
): Promise<void> {
  const now = await store.get(manifestKey(dirKey), options);
  if (now !== undefined && Buffer.compare(now, bytes) === 0) await store.delete(manifestKey(dirKey), options);
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

/** False for what a forced run must not trust: anything that another force number brought. */
export function isTrusted({ force }: Pick<PrefetchSpec, 'force'>, manifest: Manifest): boolean {
  return force === undefined || manifest.force === force;
}

/** The value, or undefined where the bytes are no JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
