import { isPrefetchError } from '../core/errors.js';
import type { ObjectInfo, ObjectStore, RequestOptions } from '../storage/object-store.js';

/** A copy inside a store of an object whose content is known to be right. */
export interface CopyWithinRequest {
  readonly from: string;
  /** The etag under which the content of `from` was verified. */
  readonly etag: string;
  readonly to: string;
  readonly size: number;
}

/** Copies without moving bytes through this process; undefined when the original is gone or another one by now. */
export async function copyWithin(
  store: ObjectStore,
  { from, etag, to, size }: CopyWithinRequest,
  options: RequestOptions = {}
): Promise<ObjectInfo | undefined> {
  try {
    const copied = await store.copy(from, to, { ...options, ifMatch: etag });
    if (copied.size === size) return copied;
  } catch (error) {
    if (isPrefetchError(error, 'ObjectNotFound') || isPrefetchError(error, 'StoreConflict')) return undefined;
    // Not every store copies, or copies what is that big: the source has the bytes too.
    if (isPrefetchError(error, 'UnsupportedStore')) return undefined;
    throw error;
  }
  await store.delete(to, options);
  return undefined;
}
