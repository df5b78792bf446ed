import type { GetRangeRequest } from '../../../src/http/get-range.js';
import { streamRange } from './stream-range.js';

/** A ranged GET into memory, in one piece. */
export async function getRange(request: GetRangeRequest): Promise<void> {
  const { into, onBytes, ...rest } = request;
  await streamRange({
    ...rest,
    onChunk: (chunk) => {
      into.set(chunk);
      onBytes?.(chunk.length);
    },
  });
}
