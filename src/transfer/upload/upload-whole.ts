import { createReadStream } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Digest } from '../../core/digest.js';
import { PrefetchError } from '../../core/errors.js';
import { MiB } from '../../core/units.js';
import { putStream } from '../../http/put-bytes.js';
import { patienceOf } from '../../http/request-policy.js';
import type { ObjectInfo, ObjectStore } from '../../storage/object-store.js';
import type { Policies } from '../budget/policies.js';
import { createContentHash } from '../digest/content-hash.js';
import { withFreshTargets } from '../read/fresh-targets.js';

/** A checked file on this machine, bound for one key. */
export interface WholeUpload {
  readonly store: ObjectStore;
  readonly key: string;
  readonly file: { readonly path: string; readonly size: number; readonly digest: Digest };
  readonly policies: Policies;
}

/**
 * Writes an object with one request, for stores that take no parts. The file was checked some time ago, and another process
 * of this machine may have it open: its last bytes are sent only once all of them are seen to be right, for a request that
 * breaks off changes nothing.
 */
export async function uploadWhole(
  { store, key, file, policies }: WholeUpload,
  { signal }: { readonly signal: AbortSignal }
): Promise<ObjectInfo> {
  const { path, size, digest } = file;
  const description = { size, crc32: await crc32OfFile(path, signal) };
  await withFreshTargets(
    { ...policies.put, outage: policies.outage },
    { signal },
    {
      ask: async () => ({ kind: 'http' as const, ...(await store.objectTarget(key, description, { signal })) }),
      use: async (target) => {
        const stream = createReadStream(path, { highWaterMark: MiB });
        try {
          const body = checked(bytesOf(stream), { digest, size, key });
          const answer = await putStream({ target, size, body, signal, ...patienceOf(policies) });
          await store.confirmObject(key, description, answer, { signal });
        } finally {
          stream.destroy();
        }
      },
    }
  );
  const info = await store.head(key, { signal });
  if (info?.size === size) return info;
  throw new PrefetchError('StoreUnavailable', `${key} has ${info?.size ?? 0} bytes in the store after writing ${size}`);
}

/** The same bytes, of which the last ones come only when all of them come to the digest. */
async function* checked(
  chunks: AsyncIterable<Uint8Array>,
  { digest, size, key }: { readonly digest: Digest; readonly size: number; readonly key: string }
): AsyncGenerator<Uint8Array> {
  const hash = createContentHash(digest.algorithm, size);
  let last: Uint8Array | undefined;
  for await (const chunk of chunks) {
    hash.update(chunk);
    if (last !== undefined) yield last;
    last = chunk;
  }
  if (hash.digest('hex') !== digest.hex) {
    throw new PrefetchError('ObjectChanged', `The local copy of ${key} changed while it was sent. Run it again`);
  }
  if (last !== undefined) yield last;
}

async function crc32OfFile(path: string, signal: AbortSignal): Promise<number> {
  let value = 0;
  for await (const chunk of bytesOf(createReadStream(path, { highWaterMark: MiB, signal })))
    value = crc32(chunk, value);
  return value;
}

async function* bytesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    if (chunk instanceof Uint8Array) yield chunk;
  }
}
