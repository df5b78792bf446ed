import type { FileHandle } from 'node:fs/promises';
import { PrefetchError } from '../core/errors.js';
import { getRange } from '../http/get-range.js';
import { isLocationRefused } from '../http/range-answer.js';
import type { ByteRange } from '../http/types.js';
import type { RangeSource } from '../hub/range-source.js';
import { patienceOf, type RequestPolicy } from './policies.js';
import { withRetries } from './retries.js';

/** Fills memory with one range of a file, exactly, or fails. */
export type ReadPart = (
  range: ByteRange,
  into: Uint8Array,
  options: { readonly signal: AbortSignal; readonly onBytes: (count: number) => void }
) => Promise<void>;

// A CDN that refuses one fresh location after the other does so for another reason than their age.
const relocations = 3;

/** Reads from the Hub's CDN, with retries and fresh locations. */
export function readFromSource(source: RangeSource, policy: RequestPolicy): ReadPart {
  return (range, into, { signal, onBytes }) =>
    withRetries(policy, { signal, isFinal: isLocationRefused }, async () => {
      let location = await source.locate({ signal });
      for (let refusals = 0; ; refusals++) {
        try {
          const totalSize = source.size;
          await getRange({ target: location, range, totalSize, into, signal, ...patienceOf(policy), onBytes });
          return;
        } catch (error) {
          if (!isLocationRefused(error) || refusals === relocations) throw error;
          location = await source.locate({ signal, stale: location });
        }
      }
    });
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
