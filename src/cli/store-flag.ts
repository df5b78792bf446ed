import { storeRoot, type Settings } from '../config/environment.js';
import { isPrefetchError, rewrap } from '../core/errors.js';
import { parseStoreUrl } from '../storage/store-url.js';

/** Fails before anything starts where MODEL_PREFETCH_STORE names a store that no backend knows. */
export function checkStoreVariable({ store }: Pick<Settings, 'store'>): void {
  if (store !== undefined) readStoreFlag('MODEL_PREFETCH_STORE', store);
}

/** The root that a flag names; fails before anything starts when it is out of shape or no backend knows its scheme. */
export function readStoreFlag(flag: string, value: string): string {
  const root = storeRoot(flag, value);
  try {
    parseStoreUrl(root);
  } catch (error) {
    if (!isPrefetchError(error)) throw error;
    throw rewrap(error, { code: 'InvalidInput', text: `${flag}: ${error.text}` });
  }
  return root;
}
