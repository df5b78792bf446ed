import { isPrefetchError, PrefetchError } from '../core/errors.js';

/** The mover speaks of sources; here the source is the store. */
export function asStoreFailure(error: unknown, key: string): unknown {
  if (!isPrefetchError(error) || error.code === 'Internal') return error;
  const options = {
    details: error.details,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
  const code =
    error.details['status'] === 404 || error.details['status'] === 416 ? 'ObjectNotFound' : 'StoreUnavailable';
  return new PrefetchError(code, `${key} cannot be read back: ${error.message}`, options);
}
