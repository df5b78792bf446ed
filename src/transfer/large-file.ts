import { isPrefetchError, PrefetchError, type ErrorCode } from '../core/errors.js';
import { patienceOf } from '../http/request-policy.js';
import type { ObjectInfo } from '../storage/object-store.js';
import type { ProgressCounter } from './progress.js';
import { findExisting } from './read/find-existing.js';
import { streamParts } from './stream-parts.js';
import type { TransferContext, TransferRequest } from './transfer-context.js';
import { finalise } from './upload/finalise.js';
import { choosePartSize } from './upload/part-plan.js';
import { startUpload, resumeUpload, type OpenUpload, type PlannedUpload } from './upload/resume-upload.js';

/** Who counts the parts of a large file, and ends it. */
export interface LargeFileOptions {
  readonly signal: AbortSignal;
  readonly progress: ProgressCounter;
}

/** An object, and how it came there. */
export interface MovedFile {
  readonly info: ObjectInfo;
  readonly how: 'fetched' | 'resumed' | 'found';
}

/** How often each may pass: a broken node of a CDN once, an upload that other writers end a few times. */
const MOST: Partial<Record<ErrorCode, number>> = { DigestMismatch: 1, UploadNotFound: 3 };

/** Moves a file part by part, going on where an earlier process ended. */
export async function transferLarge(
  context: TransferContext,
  request: TransferRequest,
  options: LargeFileOptions
): Promise<MovedFile> {
  const { signal } = options;
  const plan = await planUpload(context, request, options);
  const failed = new Map<ErrorCode, number>();
  let seesAll = await mustSeeAllBytes(request, options);
  for (;;) {
    const open = seesAll ? await startUpload(plan, { signal }) : await resumeUpload(plan, { signal });
    try {
      const info = await moveUpload(context, { request, open }, options);
      return { info, how: open.held.length > 0 ? 'resumed' : 'fetched' };
    } catch (error) {
      if (!isPrefetchError(error)) throw error;
      const times = (failed.get(error.code) ?? 0) + 1;
      if (times > (MOST[error.code] ?? 0)) throw error;
      failed.set(error.code, times);
    }
    // Whoever ended the upload may have completed it.
    const found = await findExisting(request, { signal, ...patienceOf(context.policies) });
    if (found !== undefined) return { info: found, how: 'found' };
    seesAll = true;
  }
}

/** The parts of an upload that is started now; one of another size is gone on with where its parts fit into memory. */
async function planUpload(
  { partSizeBytes, memory }: TransferContext,
  { source, store, key }: TransferRequest,
  { signal }: LargeFileOptions
): Promise<PlannedUpload> {
  const { size } = source;
  const capabilities = await store.capabilities({ signal });
  if (!capabilities.multipart) {
    throw new PrefetchError('StreamingUnsupported', `The store cannot take ${key} in parts (${size} bytes)`);
  }
  const partSize = choosePartSize(size, partSizeBytes, capabilities);
  return { store, key, size, partSize, accepts: (found) => found <= memory.budgetBytes };
}

/**
 * An upload that was begun elsewhere is completed before it can be read back. Where something is at the key that would
 * mean to show bytes that nobody checked in its place, and a store without conditions cannot tell whether something is.
 */
async function mustSeeAllBytes({ store, key }: TransferRequest, { signal }: LargeFileOptions): Promise<boolean> {
  const { conditionalComplete } = await store.capabilities({ signal });
  return !conditionalComplete || (await store.head(key, { signal })) !== undefined;
}

async function moveUpload(
  context: TransferContext,
  { request, open }: { readonly request: TransferRequest; readonly open: OpenUpload },
  { signal, progress }: LargeFileOptions
): Promise<ObjectInfo> {
  const { source, store } = request;
  progress.restart(open.held.reduce((sum, { size }) => sum + size, 0));
  const { receipts, hex } = await streamParts(context, { source, store, open, progress }, { signal });
  const full = { store, upload: open.upload, source, receipts, hex };
  return (await finalise(full, { signal, policies: context.policies })).info;
}
