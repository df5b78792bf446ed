import { patienceOf } from '../http/request-policy.js';
import { transferLarge } from './large-file.js';
import { countProgress } from './progress.js';
import { findExisting } from './read/find-existing.js';
import { transferSmall } from './small-file.js';
import type { TransferContext, TransferOptions, TransferRequest, TransferResult } from './transfer-context.js';

/** Brings one file into the store, or proves that it is there. */
export async function transferFile(
  context: TransferContext,
  request: TransferRequest,
  options: TransferOptions
): Promise<TransferResult> {
  const { signal } = options;
  signal.throwIfAborted();
  const release = await context.keyLock.acquire(`${request.store.root}${request.key}`, { signal });
  try {
    return await transferInTurn(context, request, options);
  } finally {
    release();
  }
}

async function transferInTurn(
  context: TransferContext,
  request: TransferRequest,
  { signal, onProgress }: TransferOptions
): Promise<TransferResult> {
  const { source } = request;
  const { size } = source;
  const patience = patienceOf(context.policies);
  const progress = countProgress(onProgress);
  const found = await findExisting(request, { signal, ...patience });
  if (found !== undefined) {
    progress.restart(size);
    return { etag: found.etag, size, fetchedBytes: 0, how: 'found' };
  }
  if (size <= context.partSizeBytes) {
    const info = await transferSmall(context, request, { signal, progress });
    return { etag: info.etag, size, fetchedBytes: progress.fetchedBytes, how: 'fetched' };
  }
  const { info, how } = await transferLarge(context, request, { signal, progress });
  return { etag: info.etag, size, fetchedBytes: progress.fetchedBytes, how };
}
