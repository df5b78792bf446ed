import type { PublishedBytes } from '../../transfer/finalise.js';
import { readManifest, withdraw, type PublishedDir } from '../published-dir.js';
import type { StepContext } from './step-context.js';

/** What the manifest of a sharded Dir, if it has one at the moment, says of the bytes of its files. */
export function publishedShards({ store, step: { dirKey } }: Pick<StepContext, 'store' | 'step'>): PublishedBytes {
  let judged: PublishedDir | undefined;
  return {
    hexOf: async (key, options) => {
      judged = await readManifest(store, dirKey, options);
      return judged?.manifest.files.find(({ path }) => `${dirKey}${path}` === key)?.sha256;
    },
    withdraw: async (options) => {
      if (judged !== undefined) await withdraw(store, dirKey, judged, options);
    },
  };
}
