import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { verifyDir, type Verification, type VerifiedDir } from '../../src/steps/verify-dir.js';
import type { ObjectStore } from '../../src/storage/object-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { live } from '../helpers/transfer-setup.js';
import { setUpJob, type JobChange, type JobSetup } from './shards/setup.js';

export const MANIFEST = '.prefetch/manifest.json';

/** A sharded Dir on the disk that is whole, and what verifies it. */
export interface ShardedDir {
  readonly setup: JobSetup;
  /** Path of a file of it on the disk. */
  readonly at: (path: string) => string;
  readonly verify: (change?: Partial<Verification>) => Promise<VerifiedDir>;
  readonly problems: (change?: Partial<Verification>) => Promise<readonly string[]>;
}

export async function shardedDir(change: JobChange = {}): Promise<ShardedDir> {
  const setup = await setUpJob();
  await setup.run(change);
  const verify = async (asked: Partial<Verification> = {}) =>
    verifyDir(
      setup.dependencies,
      { store: await storeOf(setup.target), deep: false, ...asked },
      { ...live(), onFile: () => undefined }
    );
  return {
    setup,
    at: (path) => join(setup.target, path),
    verify,
    problems: async (asked) => (await verify(asked)).problems,
  };
}

export function storeOf(folder: string): Promise<ObjectStore> {
  return openStore(`${pathToFileURL(folder).href}/`);
}

/** Name of a shard by the default pattern. */
export function shard(rank: number, part = 0): string {
  return `model-rank-${rank}-part-${part}.safetensors`;
}
