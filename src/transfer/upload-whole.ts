import { createReadStream } from 'node:fs';
import { crc32 } from 'node:zlib';
import { PrefetchError } from '../core/errors.js';
import { MiB } from '../core/units.js';
import { putStream } from '../http/put-bytes.js';
import type { ObjectInfo, ObjectStore } from '../storage/object-store.js';
import { patienceOf, type Policies } from './policies.js';
import { etagOf } from './send-part.js';
import { withStoreRetries } from './store-failure.js';

/** A checked file on this machine, bound for one key. */
export interface WholeUpload {
  readonly store: ObjectStore;
  readonly key: string;
  readonly file: { readonly path: string; readonly size: number };
  readonly policies: Policies;
}

/** Writes an object with one request, for stores that take no parts. */
export async function uploadWhole(
  { store, key, file, policies }: WholeUpload,
  { signal }: { readonly signal: AbortSignal }
): Promise<ObjectInfo> {
  const { path, size } = file;
  const description = { size, crc32: await crc32OfFile(path, signal) };
  await withStoreRetries({ store, key }, policies.put, { signal }, async () => {
    const target = await store.objectTarget(key, description, { signal });
    const body = createReadStream(path, { highWaterMark: MiB });
    try {
      etagOf(await putStream({ target, size, body: bytesOf(body), signal, ...patienceOf(policies) }), key);
    } finally {
      body.destroy();
    }
  });
  const info = await store.head(key, { signal });
  if (info?.size === size) return info;
  throw new PrefetchError('StoreUnavailable', `${key} has ${info?.size ?? 0} bytes in the store after writing ${size}`);
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
