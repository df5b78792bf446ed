import { isPrefetchError } from '../core/errors.js';
import { patienceOf } from '../http/request-policy.js';
import type { ObjectInfo, ObjectStore } from '../storage/object-store.js';
import { readPolicy } from './budget/policies.js';
import { hashBytes } from './digest/content-hash.js';
import { openObject } from './read/object-source.js';
import { hashObject } from './read/verify-object.js';
import type { TransferContext, TransferOptions, TransferRequest, TransferResult } from './transfer-context.js';
import { transferFile } from './transfer-file.js';

/** A copy inside a store of an object that some record says is the wanted one. */
export interface CopyWithinRequest {
  readonly store: ObjectStore;
  readonly from: string;
  /** The etag under which a record vouches for `from`. */
  readonly etag: string;
  readonly to: string;
  /** What the bytes must come to. */
  readonly source: Pick<TransferRequest['source'], 'path' | 'size' | 'digest'>;
}

/**
 * Copies without asking the source; undefined where the original is gone, another one by now, or not what its record
 * says, and where something has the key already. A record is no proof: the bytes are read and hashed before they count.
 */
export async function copyWithin(
  context: TransferContext,
  request: CopyWithinRequest,
  options: TransferOptions
): Promise<TransferResult | undefined> {
  const { store, to, source } = request;
  try {
    if ((await store.head(to, options)) !== undefined) return undefined;
    const found = await copyChecked(context, request, options);
    return found === undefined ? undefined : { etag: found.etag, size: source.size, fetchedBytes: 0, how: 'found' };
  } catch (error) {
    options.signal.throwIfAborted();
    // The source has the bytes too, and whatever is wrong with the copy may not be wrong with them.
    if (isPrefetchError(error) && isAboutTheCopy(error.code)) return undefined;
    throw error;
  }
}

const COPY_CODES: readonly string[] = [
  'ObjectNotFound',
  'ObjectExists',
  'ObjectChanged',
  'StoreConflict',
  'UnsupportedStore',
  'StreamingUnsupported',
  'DigestMismatch',
  'UnsafePath',
];

function isAboutTheCopy(code: string): boolean {
  return COPY_CODES.includes(code);
}

async function copyChecked(
  context: TransferContext,
  request: CopyWithinRequest,
  options: TransferOptions
): Promise<{ readonly etag: string } | undefined> {
  const { store, source } = request;
  if (source.size <= context.partSizeBytes) return copySmall(context, request, options);
  const { conditionalComplete } = await store.capabilities(options);
  return conditionalComplete ? copyInStore(context, request, options) : moveThrough(context, request, options);
}

/** One request to read and one to write are the fewest that a checked copy takes, and nothing wrong is ever at the key. */
async function copySmall(
  context: TransferContext,
  { store, from, to, source: { size, digest } }: CopyWithinRequest,
  options: TransferOptions
): Promise<ObjectInfo | undefined> {
  const release = await context.memory.reserve(size, options);
  try {
    const bytes = await store.get(from, options);
    if (bytes?.length !== size || (await hashBytes(digest.algorithm, bytes)) !== digest.hex) return undefined;
    return await store.put(to, bytes, options);
  } finally {
    release();
  }
}

/** The store copies; what came of it is read back. No manifest names it yet, for nothing had the key. */
async function copyInStore(
  context: TransferContext,
  { store, from, etag, to, source: { size, digest } }: CopyWithinRequest,
  options: TransferOptions
): Promise<ObjectInfo | undefined> {
  const { signal } = options;
  const copied = await store.copy(from, to, { signal, ifMatch: etag, ifAbsent: true });
  if (copied.size !== size) return undefined;
  const object = { key: to, size, algorithm: digest.algorithm };
  const hex = await hashObject(store, object, { signal, ...patienceOf(context.policies) });
  return hex === digest.hex ? copied : undefined;
}

/** A store that knows no conditions could put the copy in the place of what somebody published meanwhile. */
async function moveThrough(
  context: TransferContext,
  { store, from, to, source }: CopyWithinRequest,
  options: TransferOptions
): Promise<{ readonly etag: string }> {
  const { path, size, digest } = source;
  const original = openObject(store, { key: from, size }, readPolicy(context.policies));
  try {
    return await transferFile(
      context,
      { source: { ...original, path, digest }, store, key: to, trust: 'replace' },
      options
    );
  } finally {
    await original.close();
  }
}
