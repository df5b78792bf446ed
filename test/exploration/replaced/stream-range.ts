import { isPrefetchError, PrefetchError } from '../../../src/core/errors.js';
import type { StreamRangeRequest } from '../../../src/http/stream-range.js';
import { readRange } from './read-range.js';

/** A ranged GET, in one piece. */
export async function streamRange(request: StreamRangeRequest): Promise<void> {
  const { target, range, totalSize, signal, onChunk } = request;
  signal.throwIfAborted();
  const bytes = await readRange({ url: target.url, range, totalSize }).catch(asSourceFailure);
  await onChunk(bytes);
}

function asSourceFailure(error: unknown): never {
  if (isPrefetchError(error, 'StoreUnavailable')) throw new PrefetchError('SourceUnavailable', 'no answer');
  throw error;
}
