import { isPrefetchError, PrefetchError } from '../core/errors.js';
import type { ObjectInfo } from '../storage/object-store.js';
import { finalise } from './finalise.js';
import { choosePartSize } from './part-plan.js';
import type { ProgressCounter } from './progress.js';
import type { ReadPart } from './read-part.js';
import { streamParts } from './stream-parts.js';
import { startOver, takeUpUpload, type OpenUpload } from './take-up.js';
import type { TransferContext, TransferRequest } from './transfer-context.js';

/** Where the parts of a large file come from, and who counts them. */
export interface LargeFileOptions {
  readonly signal: AbortSignal;
  readonly progress: ProgressCounter;
  readonly readPart: ReadPart;
}

/** Moves a file part by part, going on where an earlier process ended. */
export async function transferLarge(
  context: TransferContext,
  request: TransferRequest,
  options: LargeFileOptions
): Promise<{ readonly info: ObjectInfo; readonly how: 'fetched' | 'resumed' }> {
  const { source, store, key } = request;
  const { signal } = options;
  const capabilities = await store.capabilities({ signal });
  if (!capabilities.multipart) {
    throw new PrefetchError('StreamingUnsupported', `The store cannot take ${key} in parts (${source.size} bytes)`);
  }
  const partSize = choosePartSize(source.size, context.partSizeBytes, capabilities);
  const plan = { store, key, size: source.size, partSize };
  // A resumed upload is completed before it can be read back, and must not stand in for a good object meanwhile.
  const replaces = request.trust === 'replace' && (await store.head(key, { signal })) !== undefined;
  const failed = new Set<string>();
  for (;;) {
    // After a failure of the upload itself nothing of it is trusted any more.
    const open = replaces || failed.size > 0 ? await startOver(plan, { signal }) : await takeUpUpload(plan, { signal });
    try {
      const info = await moveUpload(context, { request, open }, options);
      return { info, how: open.held.length > 0 ? 'resumed' : 'fetched' };
    } catch (error) {
      // Each of the two may pass once: a broken node of a CDN, or somebody who removed the upload.
      const passing = isPrefetchError(error, 'DigestMismatch') || isPrefetchError(error, 'UploadNotFound');
      if (!passing || failed.has(error.code)) throw error;
      failed.add(error.code);
    }
  }
}

async function moveUpload(
  context: TransferContext,
  { request, open }: { readonly request: TransferRequest; readonly open: OpenUpload },
  { signal, progress, readPart }: LargeFileOptions
): Promise<ObjectInfo> {
  const { source, store } = request;
  progress.restart(open.held.reduce((sum, { size }) => sum + size, 0));
  const { receipts, hex } = await streamParts(context, { source, store, open, readPart, progress }, { signal });
  const full = { store, upload: open.upload, source, receipts, hex };
  return (await finalise(full, { signal, policies: context.policies })).info;
}
