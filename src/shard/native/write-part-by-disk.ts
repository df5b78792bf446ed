import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isPrefetchError, rewrap } from '../../core/errors.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { openStore } from '../../storage/open-store.js';
import { mapAtOnce } from '../../tasks/for-each-at-once.js';
import { holdScratch, LEFT_BEHIND_MS, sweepScratch } from '../../transfer/disk/scratch.js';
import { uploadFile } from '../../transfer/disk/upload-file.js';
import type { TransferEngine } from '../../transfer/engine.js';
import type { ShardPart } from '../rank-layout.js';
import { writePart, type PartOptions, type PartWriting, type WrittenFile } from './write-part.js';

/** Where the parts of a layout are written by way of local disk. */
export interface DiskWriting extends Omit<PartWriting, 'context' | 'resume'> {
  readonly engine: TransferEngine;
  readonly planId: string;
  readonly scratchFolder: string;
}

/**
 * Writes one part of every rank for a store that takes no upload parts: its files are written on local disk and sent with
 * one request each. Nothing is left on the disk, and files that an earlier attempt sent are found again.
 */
export async function writePartByDisk(
  writing: DiskWriting,
  part: ShardPart,
  { signal, onStored, onFinished }: PartOptions
): Promise<WrittenFile[]> {
  const { engine, layout, planId, scratchFolder } = writing;
  const scratch = await holdScratch(scratchFolder, `${planId}-part-${part.number}`, { signal });
  try {
    await sweepScratch(scratchFolder, { olderThanMs: LEFT_BEHIND_MS, signal });
    const disk = await openStore(pathToFileURL(scratch.output).href);
    await requireRoom(disk, part.size * layout.ranks, { scratchFolder, signal });
    const onDisk = { ...writing, context: engine.context, store: disk, dirKey: '', resume: false };
    const files = await writePart(onDisk, part, { signal, onStored: () => undefined });
    const sent = await sendAll(writing, { files, folder: scratch.output }, { signal, onStored });
    await onFinished?.(sent);
    return sent;
  } finally {
    await scratch.release();
  }
}

async function requireRoom(
  disk: ObjectStore,
  bytes: number,
  { scratchFolder, signal }: { readonly scratchFolder: string; readonly signal: AbortSignal }
): Promise<void> {
  try {
    await disk.checkWritable({ bytes, signal });
  } catch (error) {
    if (!isPrefetchError(error, 'DiskFull')) throw error;
    throw rewrap(error, {
      text:
        `The store takes no upload parts, so that a part of all ranks, ${bytes} bytes, goes by way of ${scratchFolder}, which ` +
        'has less: free some space, set MODEL_PREFETCH_SCRATCH to another disk, or choose a smaller maxFileSize',
    });
  }
}

async function sendAll(
  { engine, store, dirKey, published }: DiskWriting,
  { files, folder }: { readonly files: readonly WrittenFile[]; readonly folder: string },
  { signal, onStored }: PartOptions
): Promise<WrittenFile[]> {
  return mapAtOnce(files, { limit: engine.context.lanes, signal }, async (written, inner) => {
    const { path, size, sha256: hex } = written;
    const file = { path: join(folder, path), name: path, size, digest: { algorithm: 'sha256', hex } } as const;
    const place = { store, key: `${dirKey}${path}`, engine, ...(published === undefined ? {} : { published }) };
    const { etag } = await uploadFile({ ...file, ...place, trust: 'verify-existing' }, inner);
    onStored(size);
    return { ...written, etag };
  });
}
