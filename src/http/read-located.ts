import type { ByteSource, HttpTarget, LocatedSource } from '../core/byte-source.js';
import { isPrefetchError } from '../core/errors.js';
import { withRetries } from '../tasks/retries.js';
import { getRange } from './get-range.js';
import { isLocationRefused, isRetryable, isSenseless, lastOf } from './range-answer.js';
import { patienceOf, waitBy, type RequestPolicy } from './request-policy.js';

type Located = Pick<LocatedSource, 'size' | 'locate'>;

// A CDN that refuses one fresh location after the other does so for another reason than their age.
const relocations = 3;

/**
 * Reads ranges where a source says that they are, with retries and fresh locations. What came before a connection broke
 * off is kept.
 */
export function readLocated(source: Located, policy: RequestPolicy): ByteSource['read'] {
  return async (range, into, { signal, onBytes, giveWay }) => {
    let filled = 0;
    const onMore = (count: number): void => {
      filled += count;
      onBytes?.(count);
    };
    const readRest = async (target: HttpTarget): Promise<void> => {
      const rest = { range: { start: range.start + filled, end: range.end }, into: into.subarray(filled) };
      const before = filled;
      try {
        await getRange({ target, ...rest, totalSize: source.size, signal, ...patienceOf(policy), onBytes: onMore });
      } catch (error) {
        if (!brokeOff(error) || range.start + filled === range.end) filled = 0;
        // All of a file may be had of a source without ranges, and no rest of it.
        if (before === 0 || !isPrefetchError(error, 'StreamingUnsupported')) throw error;
        await readRest(target);
      }
    };
    const readAll = async (): Promise<void> => {
      let location = await source.locate({ signal });
      for (let refusals = 0; ; refusals++) {
        try {
          await readRest(location);
          return;
        } catch (error) {
          if (!isLocationRefused(error) || refusals === relocations) throw error;
          location = await source.locate({ signal, stale: location });
        }
      }
    };
    try {
      await withRetries({ signal, giveWay, waitMs: waitBy(policy, isRetryable) }, readAll);
    } catch (error) {
      throw lastOf(error);
    }
  };
}

/** What came is right as far as it goes. */
function brokeOff(error: unknown): boolean {
  if (isSenseless(error)) return false;
  return ['SourceStalled', 'TruncatedSource', 'SourceUnavailable'].some(
    (code) => isPrefetchError(error) && error.code === code
  );
}
