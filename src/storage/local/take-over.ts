import { constants } from 'node:fs';
import { copyFile, open, rename, rm, truncate, type FileHandle } from 'node:fs/promises';

import { MiB } from '../../core/units.js';
import type { Receipt, RequestOptions, Upload } from '../object-store.js';
import { isSystemError } from './file-errors.js';
import { refuseFullDisk, type LocalFolder } from './local-folder.js';
import { dataPath, makeUpload, newUploadId, notFound, recordOf, uploadPath, writerOf } from './local-uploads.js';
import { readJournal } from './upload-journal.js';
import { writeUploadRecord, type UploadRecord } from './upload-record.js';
import { isProvenDead } from './writer-identity.js';

/**
 * Takes an upload over, so that nobody else can change the bytes of what is completed from it. A writer that is stopped, or
 * hangs on a network file system, has the data file open and may write into it whenever it wakes up, also after the file
 * got its key's name. So its parts are copied into a data file of our own, unless it is proven dead: then the upload
 * itself is taken, which costs nothing.
 */
export async function takeOver(folder: LocalFolder, upload: Upload, options: RequestOptions): Promise<Upload> {
  const record = await recordOf(folder, upload);
  if (record.writer?.instance === folder.instance) return upload;
  if (await isProvenDead(record.writer?.process)) return claim(folder, upload, { record, options });
  return copyHeld(folder, upload, { record, options });
}

/** Two may find the same writer dead: the rename is what one of them wins. */
async function claim(folder: LocalFolder, upload: Upload, { record, options }: Copying): Promise<Upload> {
  const claimed = { key: upload.key, id: newUploadId() };
  await rename(uploadPath(folder, upload), uploadPath(folder, claimed)).catch((error: unknown) => {
    throw isSystemError(error, 'ENOENT') ? notFound(folder, upload) : error;
  });
  const now = await recordOf(folder, claimed);
  // Whoever took it between our two looks is alive, and may have it open.
  if (now.writer?.instance !== record.writer?.instance) return copyHeld(folder, claimed, { record: now, options });
  await writeUploadRecord(uploadPath(folder, claimed), { ...record, writer: writerOf(folder) }).catch(
    (error: unknown) => {
      throw isSystemError(error, 'ENOENT') ? notFound(folder, upload) : error;
    }
  );
  return claimed;
}

interface Copying {
  readonly record: UploadRecord;
  readonly options: RequestOptions;
}

async function copyHeld(folder: LocalFolder, upload: Upload, { record, options }: Copying): Promise<Upload> {
  const path = uploadPath(folder, upload);
  const held = await readJournal(path);
  return makeUpload(folder, record, async (data) => {
    await copyParts(folder, { from: dataPath(path), to: data, held, record, options });
    await recordOf(folder, upload);
    // What was opened again meanwhile may have been copied half old, half new.
    const still = new Map((await readJournal(path)).map((receipt) => [receipt.partNumber, receipt.etag]));
    return held.filter(({ partNumber, etag }) => still.get(partNumber) === etag);
  });
}

/** By reference where the file system can (XFS, Btrfs, APFS), else byte for byte. */
async function copyParts(folder: LocalFolder, copy: PartsCopy): Promise<void> {
  const { from, to, held, options } = copy;
  const { size, partSize } = copy.record;
  if (await isCloned(from, to)) return;
  await refuseFullDisk(
    folder,
    held.reduce((sum, part) => sum + part.size, 0)
  );
  await truncate(to, size);
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'r+');
    try {
      for (const part of held) {
        const start = (part.partNumber - 1) * partSize;
        await copyBytes(source, target, { start, end: start + part.size, options });
      }
      await target.datasync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

interface PartsCopy extends Copying {
  readonly from: string;
  readonly to: string;
  readonly held: readonly Receipt[];
}

async function isCloned(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    if (!isSystemError(error, 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY')) throw error;
    await rm(to, { force: true });
    await (await open(to, 'wx')).close();
    return false;
  }
}

async function copyBytes(
  source: FileHandle,
  target: FileHandle,
  {
    start,
    end,
    options: { signal },
  }: { readonly start: number; readonly end: number; readonly options: RequestOptions }
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(MiB, end - start));
  for (let at = start; at < end;) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, end - at), at);
    if (bytesRead === 0) throw new Error(`A data file ends at ${String(at)} bytes, expected ${String(end)}`);
    for (let written = 0; written < bytesRead;) {
      written += (await target.write(buffer, written, bytesRead - written, at + written)).bytesWritten;
    }
    at += bytesRead;
  }
}
