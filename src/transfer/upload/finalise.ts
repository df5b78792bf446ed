import type { Digest } from '../../core/digest.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { waitBy } from '../../http/request-policy.js';
import type { ObjectInfo, ObjectStore, Receipt, Upload } from '../../storage/object-store.js';
import { withRetries } from '../../tasks/retries.js';
import type { Policies } from '../budget/policies.js';
import { combineCrc32 } from '../digest/crc32-combine.js';
import { digestMismatch } from '../digest/mismatch.js';
import { hashObject } from '../read/verify-object.js';
import { giveUp } from './give-up.js';

/** An upload whose parts are all in the store. */
export interface FullUpload {
  readonly store: ObjectStore;
  readonly upload: Upload;
  /** Without a digest nobody knows beforehand what the bytes come to, as of shards; then their SHA-256 is found out. */
  readonly source: { readonly path: string; readonly size: number; readonly digest?: Digest };
  readonly receipts: readonly Receipt[];
  /** Digest of all bytes sent, where this process sent all of them. */
  readonly hex: string | undefined;
  /** Of bytes without a known digest: what is published where they go to. */
  readonly published?: PublishedBytes;
}

/** What a manifest says of objects that are about to be replaced by bytes without a known digest. */
export interface PublishedBytes {
  /** The SHA-256 that a manifest names for a key at this moment; undefined where none names it. */
  hexOf(key: string, options: { readonly signal: AbortSignal }): Promise<string | undefined>;
  /** Removes the manifest that was last asked for, if it is still there: what it names is not. */
  withdraw(options: { readonly signal: AbortSignal }): Promise<void>;
}

/** An object that is visible, and what its bytes come to. */
export interface FinishedObject {
  readonly info: ObjectInfo;
  readonly hex: string;
}

interface Options {
  readonly signal: AbortSignal;
  readonly policies: Policies;
}

/**
 * Makes an upload visible; nothing else in this package does. While a manifest names an object, its bytes are the ones
 * that it names, whoever else writes: so only bytes that are known to be right may replace an object. All others, as
 * those of an upload that another process began, are completed where nothing has the key, and read back before anybody
 * relies on them. Where another writer was first, its object counts, once its bytes were read back. Nothing is ever
 * removed here: what is wrong is named by no manifest, and the next writer replaces it.
 */
export async function finalise(full: FullUpload, options: Options): Promise<FinishedObject> {
  checkSize(full);
  const { store, upload, source, hex } = full;
  if (hex === undefined) return completeUnseen(full, options);
  if (source.digest === undefined) return completeComputed(full, hex, options);
  if (hex === source.digest.hex) return completeKnown(full, hex, options);
  await giveUp(store, upload, options);
  throw digestMismatch(source, { expected: source.digest.hex, got: hex });
}

/**
 * Bytes that are known to be right may replace what has the key. An equal object of another writer is left there all the
 * same: a manifest may name it by its etag.
 */
async function completeKnown(full: FullUpload, hex: string, options: Options): Promise<FinishedObject> {
  const { store, upload } = full;
  const before = await store.head(upload.key, options);
  const { conditionalComplete } = await store.capabilities(options);
  let outcome = await complete(full, { ...options, ifAbsent: before === undefined && conditionalComplete });
  if (outcome === 'exists') {
    const theirs = await readBack(full, options).catch(undefinedIfWrong);
    if (theirs !== undefined) {
      await giveUp(store, upload, options);
      return theirs;
    }
    outcome = await complete(full, { ...options, ifAbsent: false });
  }
  // An etag that did not change may be that of the object before: an answer was lost, or somebody removed the upload.
  if (typeof outcome === 'object' && outcome.etag !== before?.etag) return { info: outcome, hex };
  return readBack(full, options);
}

/**
 * Bytes that this process made, and that are checked later: they replace what no manifest names. An object that one names
 * counts, and is looked at before it does.
 */
async function completeComputed(full: FullUpload, hex: string, options: Options): Promise<FinishedObject> {
  const { store, upload, source, published } = full;
  const { conditionalComplete } = await store.capabilities(options);
  if ((await store.head(upload.key, options)) === undefined) {
    const outcome = await complete(full, { ...options, ifAbsent: conditionalComplete });
    if (typeof outcome === 'object') return { info: outcome, hex };
    if (outcome === 'gone') return readBack(full, options);
  }
  const named = await published?.hexOf(upload.key, options);
  if (named === undefined || named === hex) return completeKnown(full, hex, options);
  const digest = { algorithm: 'sha256', hex: named } as const;
  const theirs = await readBack({ ...full, source: { ...source, digest } }, options).catch(undefinedIfWrong);
  if (theirs === undefined) {
    await published?.withdraw(options);
    return completeKnown(full, hex, options);
  }
  await giveUp(store, upload, options);
  return theirs;
}

/** Bytes of which others wrote some: they never replace anything. */
async function completeUnseen(full: FullUpload, options: Options): Promise<FinishedObject> {
  const { store, upload } = full;
  const { conditionalComplete } = await store.capabilities(options);
  if (!conditionalComplete) {
    throw new PrefetchError('Internal', `${store.root} cannot complete what others began of ${upload.key}`);
  }
  const outcome = await complete(full, { ...options, ifAbsent: true });
  if (outcome === 'exists') await giveUp(store, upload, options);
  return readBack(full, options);
}

/** The object that has the key now, once it is seen to be the right one. */
async function readBack(full: FullUpload, options: Options): Promise<FinishedObject> {
  const { store, upload, source, hex } = full;
  const info = await store.head(upload.key, options);
  if (info === undefined) {
    throw new PrefetchError('UploadNotFound', `The upload of ${upload.key} was gone before it was complete`);
  }
  const object = { key: upload.key, size: info.size, algorithm: source.digest?.algorithm ?? 'sha256' } as const;
  const stored = await hashObject(store, object, options);
  const expected = source.digest?.hex ?? hex;
  const isRight = info.size === source.size && (expected === undefined || stored === expected);
  if (isRight) return { info, hex: stored };
  throw digestMismatch(source, { expected, got: stored });
}

function checkSize({ source, receipts }: FullUpload): void {
  const size = receipts.reduce((sum, receipt) => sum + receipt.size, 0);
  const inOrder = receipts.every(({ partNumber }, index) => partNumber === index + 1);
  if (size === source.size && inOrder) return;
  throw new PrefetchError('Internal', `The parts of ${source.path} have ${size} bytes, expected ${source.size}`);
}

/** `gone`: as after an answer that was lost, or when another writer of the same upload was first. */
async function complete(
  { store, upload, source, receipts }: FullUpload,
  { signal, policies, ifAbsent }: Options & { readonly ifAbsent: boolean }
): Promise<ObjectInfo | 'exists' | 'gone'> {
  const crc32 = wholeCrc32(receipts);
  const facts = { size: source.size, ifAbsent, ...(crc32 === undefined ? {} : { crc32 }) };
  return withRetries({ signal, waitMs: waitBy(policies.put) }, () =>
    store.completeUpload(upload, receipts, { ...facts, signal }).catch((error: unknown) => {
      if (isPrefetchError(error, 'ObjectExists')) return 'exists';
      if (isPrefetchError(error, 'UploadNotFound')) return 'gone';
      throw error;
    })
  );
}

function undefinedIfWrong(error: unknown): undefined {
  if (!isPrefetchError(error, 'DigestMismatch') && !isPrefetchError(error, 'UploadNotFound')) throw error;
}

function wholeCrc32(receipts: readonly Receipt[]): number | undefined {
  const parts: { crc32: number; size: number }[] = [];
  for (const { crc32, size } of receipts) {
    if (crc32 === undefined) return undefined;
    parts.push({ crc32, size });
  }
  return combineCrc32(parts);
}
