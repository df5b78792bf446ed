import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Digest } from '../../core/digest.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { MiB } from '../../core/units.js';
import { patienceOf } from '../../http/request-policy.js';
import type { Patience } from '../../http/stall-watch.js';
import { streamRange, type StreamRangeRequest } from '../../http/stream-range.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { defaultPolicies } from '../budget/policies.js';
import { createContentHash } from '../digest/content-hash.js';
import { withFreshTargets } from './fresh-targets.js';
import { asStoreRead } from './store-read.js';

/** What is read back, and how it is to be hashed. */
export interface ObjectToHash {
  readonly key: string;
  readonly size: number;
  readonly algorithm: Digest['algorithm'];
}

/** The digest of an object as the store holds it, read back in bounded memory. */
export async function hashObject(
  store: ObjectStore,
  object: ObjectToHash,
  { signal, ...patience }: Partial<Patience> & { readonly signal: AbortSignal }
): Promise<string> {
  const { key, size, algorithm } = object;
  let hash = createContentHash(algorithm, size);
  let hashed = 0;
  const take = (chunk: Uint8Array): void => {
    hash.update(chunk);
    hashed += chunk.length;
  };
  if (size === 0) return hash.digest('hex');
  const streamRest = async (how: Pick<StreamRangeRequest, 'target' | 'judge' | keyof Patience>): Promise<void> => {
    const from = hashed;
    try {
      await streamRange({ ...how, range: { start: from, end: size }, totalSize: size, onChunk: take, signal });
    } catch (error) {
      if (from === 0 || !isPrefetchError(error, 'StreamingUnsupported')) throw error;
      // A store without ranges: all of it, or nothing.
      hash = createContentHash(algorithm, size);
      hashed = 0;
      await streamRest(how);
    }
  };
  const policy = { ...defaultPolicies.get, ...patienceOf({ ...defaultPolicies, ...patience }) };
  await withFreshTargets(
    policy,
    { signal },
    {
      ask: () => store.readTarget(key, { signal }),
      use: (target) =>
        asStoreRead({ store, key, signal }, async (judge) => {
          // A new try goes on where the last one ended: what is hashed is hashed.
          if (target.kind === 'file') await readFile(target.path, { signal, from: hashed, take });
          else await streamRest({ ...patienceOf(policy), target, judge });
        }),
    }
  );
  return hash.digest('hex');
}

/** The digest of a file on this machine. */
export async function hashFile(
  path: string,
  { algorithm, size }: Omit<ObjectToHash, 'key'>,
  { signal }: { readonly signal: AbortSignal }
): Promise<string> {
  const hash: Hash = createContentHash(algorithm, size);
  const take = (chunk: Uint8Array): void => {
    hash.update(chunk);
  };
  try {
    await readFile(path, { signal, from: 0, take });
  } catch (error) {
    signal.throwIfAborted();
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code';
    const isGone = code === 'ENOENT';
    throw new PrefetchError(isGone ? 'ObjectNotFound' : 'StoreUnavailable', `${path} cannot be read (${code})`);
  }
  return hash.digest('hex');
}

interface Reading {
  readonly signal: AbortSignal;
  readonly take: (chunk: Uint8Array) => void;
}

async function readFile(path: string, { signal, from, take }: Reading & { readonly from: number }): Promise<void> {
  const stream = createReadStream(path, { start: from, highWaterMark: MiB, signal });
  for await (const chunk of stream) {
    if (chunk instanceof Uint8Array) take(chunk);
  }
}
