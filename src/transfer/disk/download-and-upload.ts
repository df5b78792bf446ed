import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocatedSource } from '../../core/byte-source.js';
import { patienceOf } from '../../http/request-policy.js';
import { createKeyLock } from '../../tasks/key-lock.js';
import type { TransferEngine } from '../engine.js';
import { findExisting } from '../read/find-existing.js';
import type { TransferOptions, TransferRequest, TransferResult } from '../transfer-context.js';
import { downloadFile } from './download-file.js';
import { uploadFile } from './upload-file.js';

/** A transfer by way of a local folder, for stores that take no parts and sources that give no ranges. */
export interface DownloadAndUploadRequest extends TransferRequest {
  readonly source: LocatedSource;
  /** Where the local copy grows, and stays when the process dies, to be gone on with. */
  readonly folder: string;
  readonly engine: TransferEngine;
}

/** Two files of equal content share the local copy, so the second waits for the first. */
const localCopies = createKeyLock();

/** Downloads a file, checks it, uploads it and removes the local copy. */
export async function downloadAndUploadFile(
  request: DownloadAndUploadRequest,
  options: TransferOptions
): Promise<TransferResult> {
  const { source, engine, folder } = request;
  // What fits into memory needs neither ranges nor parts.
  if (source.size <= engine.partSizeBytes) return engine.transferFile(request, options);
  const path = join(folder, `${source.digest.hex}.part`);
  const release = await localCopies.acquire(path, options);
  try {
    return await transferBy(path, request, options);
  } finally {
    release();
  }
}

async function transferBy(
  path: string,
  request: DownloadAndUploadRequest,
  { signal, onProgress = () => undefined }: TransferOptions
): Promise<TransferResult> {
  const { source, engine, folder } = request;
  const { policies } = engine;
  const found = await findExisting(request, { signal, ...patienceOf(policies) });
  if (found !== undefined) return { etag: found.etag, size: source.size, fetchedBytes: 0, how: 'found' };
  const { fetchedBytes, resumed } = await downloadFile(
    { source, path, folder, policies },
    {
      signal,
      onFetched: (bytes) => {
        onProgress({ bytesDone: 0, fetchedBytes: bytes });
      },
    }
  );
  const { path: name, size, digest } = source;
  const { store, key } = request;
  const uploaded = await uploadFile(
    { path, name, size, digest, store, key, engine, trust: 'replace' },
    {
      signal,
      onProgress: (uploaded) => {
        onProgress({ ...uploaded, fetchedBytes });
      },
    }
  );
  await rm(path, { force: true });
  return { etag: uploaded.etag, size: source.size, fetchedBytes, how: resumed ? 'resumed' : 'fetched' };
}
