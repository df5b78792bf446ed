import { createHash } from 'node:crypto';
import type { Dir, Manifest, ManifestFile, PrefetchSpec } from '../core/contract.js';
import type { Digest } from '../core/digest.js';
import { isPrefetchError, PrefetchError, rewrap } from '../core/errors.js';
import { manifestKey } from '../core/keys.js';
import { readManifestValue } from '../core/schemas/read-manifest.js';
import type { RequestOptions } from '../storage/object-store.js';
import { objectUrl } from '../storage/store-url.js';
import type { DirPlace } from './dir-place.js';
import { parseJson } from './json-objects.js';

/** The manifest of a Dir, and its bytes as they lie in the store. */
export interface PublishedDir {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
}

/**
 * The manifest of a Dir, or undefined where there is none. One that this version cannot read fails as
 * `ManifestUnreadable`: it may be that of a good Dir, so nobody who cannot read it may withdraw or replace it.
 */
export async function readManifest(
  { store, dirKey }: DirPlace,
  options: RequestOptions
): Promise<PublishedDir | undefined> {
  const bytes = await store.get(manifestKey(dirKey), options);
  if (bytes === undefined) return undefined;
  const read = readManifestValue(parseJson(bytes));
  if ('manifest' in read) return { manifest: read.manifest, bytes };
  throw unreadable(`${store.root}${manifestKey(dirKey)}`, read);
}

/** How a request calls what a Dir holds; without a repo, it is that of the manifest. */
export type AskedFor = Pick<PrefetchSpec, 'revision'> & Partial<Pick<PrefetchSpec, 'repo'>>;

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

/** The Dir that a manifest stands for, as a request knows it: repo and revision are those asked for now. */
export function describeDir(
  { store, dirKey }: DirPlace,
  { manifest, bytes }: PublishedDir,
  { repo = manifest.repo, revision }: AskedFor
): Dir {
  const { sharding } = manifest;
  return {
    path: objectUrl(store.root, dirKey),
    artifactName: manifest.artifactName,
    repo,
    revision,
    commit: manifest.commit,
    format: manifest.format,
    fileCount: manifest.fileCount,
    totalBytes: manifest.totalBytes,
    manifestPath: objectUrl(store.root, manifestKey(dirKey)),
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

/** The digest that a manifest names for a file: one of the two, as its schema has it. */
export function digestOf({ path, sha256, gitSha1 }: ManifestFile): Digest {
  if (sha256 !== undefined) return { algorithm: 'sha256', hex: sha256 };
  if (gitSha1 !== undefined) return { algorithm: 'gitSha1', hex: gitSha1 };
  throw new PrefetchError('Internal', `A manifest has no digest for ${path}`);
}
