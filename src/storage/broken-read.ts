import { isPrefetchError, rewrap, type ErrorCode } from '../core/errors.js';
import { isUntrusted } from '../http/source-failure.js';

// What moves bytes speaks of sources; here the source is a store.
const ofSources: readonly ErrorCode[] = ['SourceUnavailable', 'SourceStalled', 'TruncatedSource', 'RateLimited'];

/** The error of a read over HTTP that ended without an answer that is to be judged; what is none comes back as it is. */
export function brokenRead(error: Error, object: string): Error {
  if (!isPrefetchError(error)) return error;
  const text = `${object} cannot be read back: ${error.text}`;
  if (isUntrusted(error)) return rewrap(error, { code: 'StoreRefused', text });
  // No other try would bring what this one did not.
  if (error.code === 'StreamingUnsupported') return rewrap(error, { text });
  return ofSources.includes(error.code) ? rewrap(error, { code: 'StoreUnavailable', text }) : error;
}
