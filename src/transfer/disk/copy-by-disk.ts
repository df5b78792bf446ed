import { join } from 'node:path';
import type { Digest } from '../../core/digest.js';
import type { ObjectStore } from '../../storage/object-store.js';
import type { TransferEngine } from '../engine.js';
import { pullDir } from './pull-dir.js';
import { holdScratch } from './scratch.js';
import { uploadFile } from './upload-file.js';

/** An object of one store, bound for another one that takes no upload parts. */
export interface DiskCopy {
  readonly source: ObjectStore;
  readonly from: string;
  readonly store: ObjectStore;
  readonly to: string;
  readonly digest: Digest;
  readonly size: number;
  readonly engine: TransferEngine;
  readonly planId: string;
  readonly scratchFolder: string;
}

/** Copies an object by way of local disk, verified on the way; nothing is left on the disk. */
export async function copyByDisk(
  { source, from, store, to, digest, size, engine, planId, scratchFolder }: DiskCopy,
  { signal }: { readonly signal: AbortSignal }
): Promise<{ readonly etag: string }> {
  const scratch = await holdScratch(scratchFolder, `${planId}-files`, { signal });
  try {
    const name = from.slice(from.lastIndexOf('/') + 1);
    const dirKey = from.slice(0, from.length - name.length);
    // Where there is a digest nobody looks at the etag.
    const files = [{ path: name, size, etag: '', digest }];
    const materialise = { store: source, engine, dirKey, files, folder: scratch.source };
    await pullDir(materialise, { signal, onProgress: () => undefined });
    const path = join(scratch.source, name);
    return await uploadFile({ path, name: from, size, digest, store, key: to, engine, trust: 'replace' }, { signal });
  } finally {
    await scratch.release();
  }
}
