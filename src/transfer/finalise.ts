import { isPrefetchError, PrefetchError } from '../core/errors.js';
import type { ObjectInfo, ObjectStore, Receipt, Upload } from '../storage/object-store.js';
import type { Digest } from '../core/digest.js';
import { combineCrc32 } from './crc32-combine.js';
import { digestMismatch } from './mismatch.js';
import type { Policies } from './policies.js';
import { withRetries } from './retries.js';
import { hashObject } from './verify-object.js';

/** An upload whose parts are all in the store. */
export interface FullUpload {
  readonly store: ObjectStore;
  readonly upload: Upload;
  /** Without a digest nobody knows beforehand what the bytes come to, as of shards; then their SHA-256 is found out. */
  readonly source: { readonly path: string; readonly size: number; readonly digest?: Digest };
  readonly receipts: readonly Receipt[];
  /** Digest of all bytes sent, where this process sent all of them. */
  readonly hex: string | undefined;
}

/** An object that is visible, and what its bytes come to. */
export interface FinishedObject {
  readonly info: ObjectInfo;
  readonly hex: string;
}

/**
 * Makes an upload visible; nothing else in this package does. Bytes known to be wrong are never completed. Where nobody
 * saw all bytes, the object is read back and deleted when it is wrong.
 */
export async function finalise(
  full: FullUpload,
  options: { readonly signal: AbortSignal; readonly policies: Policies }
): Promise<FinishedObject> {
  const { store, upload, source, hex } = full;
  const { signal } = options;
  const expected = source.digest?.hex ?? hex;
  checkSize(full);
  if (hex !== undefined && hex !== expected) {
    await store.abortUpload(upload, { signal });
    throw digestMismatch(source, { expected, got: hex });
  }
  const before = await store.head(upload.key, { signal });
  const completed = await complete(full, { ...options, ifAbsent: before === undefined });
  // An etag that did not change may be that of the object before: an answer was lost, or somebody removed the upload.
  if (completed !== undefined && hex !== undefined && completed.etag !== before?.etag) return { info: completed, hex };

  const info = completed ?? (await findCompleted(full, signal));
  const stored = await hashObject(
    store,
    { key: upload.key, size: source.size, algorithm: source.digest?.algorithm ?? 'sha256' },
    options
  );
  if (expected === undefined || stored === expected) return { info, hex: stored };
  await store.delete(upload.key, { signal });
  throw digestMismatch(source, { expected, got: stored });
}

function checkSize({ source, receipts }: FullUpload): void {
  const size = receipts.reduce((sum, receipt) => sum + receipt.size, 0);
  const inOrder = receipts.every(({ partNumber }, index) => partNumber === index + 1);
  if (size === source.size && inOrder) return;
  throw new PrefetchError('Internal', `The parts of ${source.path} have ${size} bytes, expected ${source.size}`);
}

/** Undefined when the upload is gone, as after an answer that was lost, and when another writer was first. */
async function complete(
  { store, upload, source, receipts }: FullUpload,
  {
    signal,
    policies,
    ifAbsent,
  }: { readonly signal: AbortSignal; readonly policies: Policies; readonly ifAbsent: boolean }
): Promise<ObjectInfo | undefined> {
  const crc32 = wholeCrc32(receipts);
  const facts = { size: source.size, ifAbsent, ...(crc32 === undefined ? {} : { crc32 }) };
  return withRetries(policies.put, { signal }, () =>
    store.completeUpload(upload, receipts, { ...facts, signal }).catch(async (error: unknown) => {
      if (isPrefetchError(error, 'ObjectExists')) await store.abortUpload(upload, { signal });
      else if (!isPrefetchError(error, 'UploadNotFound')) throw error;
      return undefined;
    })
  );
}

async function findCompleted({ store, upload, source }: FullUpload, signal: AbortSignal): Promise<ObjectInfo> {
  const info = await store.head(upload.key, { signal });
  if (info?.size === source.size) return info;
  throw new PrefetchError('UploadNotFound', `The upload of ${upload.key} was gone before it was complete`);
}

function wholeCrc32(receipts: readonly Receipt[]): number | undefined {
  const parts: { crc32: number; size: number }[] = [];
  for (const { crc32, size } of receipts) {
    if (crc32 === undefined) return undefined;
    parts.push({ crc32, size });
  }
  return combineCrc32(parts);
}
