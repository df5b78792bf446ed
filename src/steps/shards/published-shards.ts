import { openDir } from '../../dir/open-dir.js';
import type { PublishedDir } from '../../dir/published-dir.js';
import type { PublishedBytes } from '../../transfer/upload/finalise.js';
import type { StepContext } from './step-context.js';

/** What the manifest of a sharded Dir, if it has one at the moment, says of the bytes of its files. */
export function publishedShards({ store, step: { dirKey } }: Pick<StepContext, 'store' | 'step'>): PublishedBytes {
  const dir = openDir(store, dirKey);
  let judged: PublishedDir | undefined;
  return {
    hexOf: async (key, options) => {
      judged = await dir.manifest(options);
      return judged?.manifest.files.find(({ path }) => `${dirKey}${path}` === key)?.sha256;
    },
    withdraw: async (options) => {
      if (judged !== undefined) await dir.withdraw(judged, options);
    },
  };
}
