import type { PublishedBytes } from '../../transfer/finalise.js';
import { readManifest, withdraw } from '../published-dir.js';
import type { StepContext } from './step-context.js';

/** What the manifest of a sharded Dir, if it has one at the moment, says of the bytes of its files. */
export function publishedShards({ store, step: { dirKey } }: Pick<StepContext, 'store' | 'step'>): PublishedBytes {
  return {
    hexOf: async (key, options) => {
      const published = await readManifest(store, dirKey, options);
      return published?.manifest.files.find(({ path }) => `${dirKey}${path}` === key)?.sha256;
    },
    withdraw: async (options) => {
      const published = await readManifest(store, dirKey, options);
      if (published !== undefined) await withdraw(store, dirKey, published, options);
    },
  };
}
