import type { Dir, Manifest } from '../core/contract.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import { listDirNow, type DirObjects, type RecordedFile } from './dir-objects.js';
import type { DirPlace } from './dir-place.js';
import { inspectDir, compareDir, type InspectedDir, type InspectOptions, type ComparedDir } from './inspect-dir.js';
import { describeDir, readManifest, type AskedFor, type PublishedDir } from './published-dir.js';
import { withdrawManifest, writeManifest } from './write-manifest.js';

/**
 * A Dir in a store: what is published there, and whether all of it is there. Whatever reads the manifest fails as
 * `ManifestUnreadable` where this version cannot read it; and all fail as the store does.
 */
export interface StoredDir extends DirPlace {
  /** What is published, by the word of its manifest alone; undefined where nothing is. One small request. */
  manifest(options?: RequestOptions): Promise<PublishedDir | undefined>;
  /** All objects of the Dir by path, and which files of the manifest have another size or etag; reads none of them. */
  compare(options?: RequestOptions): Promise<ComparedDir>;
  /** The same, and whether the Dir is intact: a file that has another etag alone is read, and its bytes decide. */
  inspect(options?: InspectOptions): Promise<InspectedDir>;
  /** What is published, where it is wanted and intact; what is not wanted is not listed. */
  findIntact(isWanted: (manifest: Manifest) => boolean, options?: InspectOptions): Promise<PublishedDir | undefined>;
  /** All objects of the Dir by path. A list may be old, so files that it does not have as recorded are asked for. */
  objects(recorded: readonly RecordedFile[], options?: RequestOptions): Promise<DirObjects>;
  /** The value that stands for what is published, for somebody who asked for a repo and a revision. */
  describe(published: PublishedDir, asked: AskedFor): Dir;
  /** Publishes: every file that the manifest names must be there. */
  publish(manifest: Manifest, options?: RequestOptions): Promise<PublishedDir>;
  /** Removes the manifest of a Dir that is not what it says, unless another one is there meanwhile. */
  withdraw(published: PublishedDir, options?: RequestOptions): Promise<void>;
}

/**
 * Opens a Dir; nothing is asked of the store before a question is.
 *
 * @param dirKey - what its keys begin with: ends in "/", or is empty where the root of the store is the Dir
 */
export function openDir(store: ObjectStore, dirKey: string): StoredDir {
  const place = { store, dirKey };
  const manifest = (options: RequestOptions = {}) => readManifest(place, options);
  return {
    ...place,
    manifest,
    compare: async (options = {}) => compareDir(place, await manifest(options), options),
    inspect: async (options = {}) => inspectDir(place, await manifest(options), options),
    findIntact: async (isWanted, options = {}) => {
      const published = await manifest(options);
      if (published === undefined || !isWanted(published.manifest)) return undefined;
      const inspected = await inspectDir(place, published, options);
      return inspected.intact ? inspected.published : undefined;
    },
    objects: (recorded, options = {}) => listDirNow(place, recorded, options),
    describe: (published, asked) => describeDir(place, published, asked),
    publish: (published, options = {}) => writeManifest(place, published, options),
    withdraw: (published, options = {}) => withdrawManifest(place, published, options),
  };
}
