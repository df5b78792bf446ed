import type { Digest } from '../../core/digest.js';
import { patienceOf } from '../../http/request-policy.js';
import type { TransferEngine } from '../engine.js';
import { openFile } from '../read/file-source.js';
import { findExisting } from '../read/find-existing.js';
import type { TransferOptions, TransferRequest } from '../transfer-context.js';
import type { PublishedBytes } from '../upload/finalise.js';
import { uploadWhole } from '../upload/upload-whole.js';

/** A file on this machine, whose digest is known, bound for one key. */
export interface FileUpload extends Pick<TransferRequest, 'store' | 'key' | 'trust'> {
  readonly path: string;
  /** For messages. */
  readonly name: string;
  readonly size: number;
  readonly digest: Digest;
  readonly engine: TransferEngine;
  /** Of bytes that are checked later only: what is published where they go to. */
  readonly published?: PublishedBytes;
}

/** Uploads a file in parts, going on where an earlier process ended, or with one request where the store takes no parts. */
export async function uploadFile(upload: FileUpload, options: TransferOptions): Promise<{ readonly etag: string }> {
  const { path, size, digest, store, key, engine, trust } = upload;
  const { signal } = options;
  await withdrawOther(upload, { signal });
  const { multipart } = await store.capabilities({ signal });
  if (!multipart && size > engine.partSizeBytes) {
    const source = { size, digest };
    const found = await findExisting({ source, store, key, trust }, { signal, ...patienceOf(engine.policies) });
    const whole = { store, key, file: { path, size, digest }, policies: engine.policies };
    const info = found ?? (await uploadWhole(whole, options));
    options.onProgress?.({ bytesDone: size, fetchedBytes: 0 });
    return info;
  }
  const source = await openFile(path, upload);
  try {
    return await engine.transferFile({ source, store, key, trust }, options);
  } finally {
    await source.close();
  }
}

/** A manifest that names other bytes goes before they do. */
async function withdrawOther(
  { key, digest, published }: FileUpload,
  options: { readonly signal: AbortSignal }
): Promise<void> {
  const named = await published?.hexOf(key, options);
  if (named !== undefined && named !== digest.hex) await published?.withdraw(options);
}
