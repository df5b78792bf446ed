import { isPrefetchError } from '../../core/errors.js';
import type { ObjectStore, Upload } from '../../storage/object-store.js';

/** Gives up an upload of our own. One that cannot be removed now is removed when its Dir is published. */
export async function giveUp(
  store: ObjectStore,
  upload: Upload,
  { signal }: { readonly signal: AbortSignal }
): Promise<void> {
  await store.abortUpload(upload, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    if (!isPrefetchError(error)) throw error;
  });
}
