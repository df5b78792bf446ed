import type { ByteRange, HttpTarget } from '../core/byte-source.js';
import type { JudgeRefusal } from './range-answer.js';
import { proxyFor } from './proxies.js';
import { getRangeRaw } from './raw-range.js';
import type { Patience } from './stall-watch.js';
import { streamRange } from './stream-range.js';

/** A ranged GET into memory. */
export interface GetRangeRequest extends Patience {
  readonly target: HttpTarget;
  readonly range: ByteRange;
  /** Bytes of the whole file, which the answer must agree with. */
  readonly totalSize: number;
  /** Takes the bytes from its start on; at least as long as the range. */
  readonly into: Uint8Array;
  readonly signal: AbortSignal;
  readonly onBytes?: (count: number) => void;
  /** Asked what a refusal means, with the beginning of its body; without it the status alone tells. */
  readonly judge?: JudgeRefusal | undefined;
}

/** Reads one range of a file into a buffer, exactly, or fails. */
export async function getRange(request: GetRangeRequest): Promise<void> {
  // Through a proxy, the bytes come with a copy more.
  if (!isProxied(request.target) && (await getRangeRaw(request))) return;
  const { into, onBytes, ...rest } = request;
  let filled = 0;
  await streamRange({
    ...rest,
    onChunk(chunk) {
      into.set(chunk, filled);
      filled += chunk.length;
      onBytes?.(chunk.length);
    },
  });
}

function isProxied({ url }: HttpTarget): boolean {
  return URL.canParse(url) && proxyFor(new URL(url)) !== undefined;
}
