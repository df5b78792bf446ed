import type { FileHandle } from 'node:fs/promises';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { getRange } from '../http/get-range.js';
import { isLocationRefused } from '../http/range-answer.js';
import type { ByteRange, HttpTarget } from '../http/types.js';
import type { RangeSource } from '../hub/range-source.js';
import type { GiveWay } from '../tasks/permits.js';
import { withRetries } from '../tasks/retries.js';
import { patienceOf, waitBy, type RequestPolicy } from './policies.js';

/** Fills memory with one range of a file, exactly, or fails. */
export type ReadPart = (
  range: ByteRange,
  into: Uint8Array,
  options: {
    readonly signal: AbortSignal;
    readonly onBytes: (count: number) => void;
    /** Runs the waits between tries, so that a lane is not held by somebody who only waits. */
    readonly giveWay?: GiveWay;
  }
) => Promise<void>;

// A CDN that refuses one fresh location after the other does so for another reason than their age.
const relocations = 3;

/** Reads from the Hub's CDN, with retries and fresh locations. What came before a connection broke off is kept. */
export function readFromSource(source: RangeSource, policy: RequestPolicy): ReadPart {
  return (range, into, { signal, onBytes, giveWay }) => {
    let filled = 0;
    const onMore = (count: number): void => {
      filled += count;
      onBytes(count);
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
    return withRetries({ signal, giveWay, waitMs: waitBy(policy, isLocationRefused) }, async () => {
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
    });
  };
}

/** What came is right as far as it goes. */
function brokeOff(error: unknown): boolean {
  return ['SourceStalled', 'TruncatedSource', 'SourceUnavailable'].some(
    (code) => isPrefetchError(error) && error.code === code
  );
}

/** Reads from a file on this machine. */
export function readFromFile(handle: FileHandle): ReadPart {
  return async ({ start, end }, into, { signal }) => {
    let filled = 0;
    while (filled < end - start) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(into, filled, end - start - filled, start + filled);
      if (bytesRead === 0) throw new PrefetchError('Internal', `A local copy ends at ${start + filled} bytes`);
      filled += bytesRead;
    }
  };
}
