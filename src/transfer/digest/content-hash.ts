import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Digest } from '../../core/digest.js';
import { MiB } from '../../core/units.js';

// One update of 64 MiB would hold the event loop for 40 ms, and every lane with it.
const sliceBytes = MiB;
const slicesPerTurn = 4;

/** A running digest of a file's content, as the Hub counts it. */
export function createContentHash(algorithm: Digest['algorithm'], size: number): Hash {
  if (algorithm === 'sha256') return createHash('sha256');
  return createHash('sha1').update(`blob ${size}\0`);
}

/** The digest of a whole content in memory. */
export async function hashBytes(algorithm: Digest['algorithm'], bytes: Uint8Array): Promise<string> {
  const hash = createContentHash(algorithm, bytes.length);
  for await (const slice of inSlices(bytes)) hash.update(slice);
  return hash.digest('hex');
}

/** Bytes in slices that leave the event loop room to breathe. */
export async function* inSlices(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0, turn = 1; start < bytes.length; start += sliceBytes, turn++) {
    yield bytes.subarray(start, start + sliceBytes);
    if (turn % slicesPerTurn === 0) await setImmediate();
  }
}
