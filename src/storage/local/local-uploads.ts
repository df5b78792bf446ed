import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

import { PrefetchError } from '../../core/errors.js';
import type {
  CompleteOptions,
  CreateUploadOptions,
  ListedUpload,
  ObjectInfo,
  PartDescription,
  Receipt,
  Upload,
} from '../object-store.js';
import { checkPrefix } from '../store-key.js';
import { isSystemError } from './file-errors.js';
import { keyPath, makeHiddenFolder, publishFile, refuseFullDisk, type LocalFolder } from './local-folder.js';
import { fileInfo } from './local-info.js';
import { publishAbsent, syncFile } from './local-objects.js';
import { appendToJournal, readJournal } from './upload-journal.js';
import { checkPart, checkParts, conflict } from './upload-parts.js';
import { readUploadRecord, writeUploadRecord, type UploadRecord, type UploadWriter } from './upload-record.js';
import { isProvenDead, thisWriter } from './writer-identity.js';

/** Makes the folder of an upload: a data file of the full size, its record, and a journal of confirmed parts. */
export async function createUpload(
  folder: LocalFolder,
  key: string,
  { size, partSize }: CreateUploadOptions
): Promise<Upload> {
  await refuseFullDisk(folder, size);
  return makeUpload(folder, { version: 1, key, size, partSize, createdMs: Date.now() }, async (data) => {
    await truncate(data, size);
    return [];
  });
}

/** Makes the folder of an upload with what `fill` puts into its data file and says that it holds. */
export async function makeUpload(
  folder: LocalFolder,
  record: UploadRecord,
  fill: (data: string) => Promise<readonly Receipt[]>
): Promise<Upload> {
  const { key } = record;
  keyPath(folder, key);
  await makeHiddenFolder(folder, folder.uploads);
  const upload = { key, id: newUploadId() };
  const path = uploadPath(folder, upload) + FILLING;
  await mkdir(path);
  try {
    // First, so that whoever finds this later knows whether we are gone.
    await writeUploadRecord(path, { ...record, writer: writerOf(folder) });
    await (await open(dataPath(path), 'wx')).close();
    for (const receipt of await fill(dataPath(path))) {
      await appendToJournal(path, { kind: 'confirmed', ...receipt });
    }
    // Last, so that an upload is found only when it is whole.
    await rename(path, uploadPath(folder, upload));
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    throw error;
  }
  return upload;
}

/** This store instance, as records name it. */
export function writerOf({ instance }: LocalFolder): UploadWriter {
  const process = thisWriter();
  return { instance, ...(process === undefined ? {} : { process }) };
}

/** A name for the folder of an upload. */
export function newUploadId(): string {
  return randomBytes(16).toString('hex');
}

/** Uploads of exactly this key, newest first; what is broken is passed over. */
export async function findUploads(folder: LocalFolder, key: string): Promise<Upload[]> {
  keyPath(folder, key);
  const found: ListedUpload[] = [];
  for await (const upload of listUploads(folder, key)) if (upload.key === key) found.push(upload);
  return found.sort((a, b) => b.startedMs - a.startedMs).map(({ id }) => ({ key, id }));
}

/** Uploads of all keys under a prefix. What a killed process left of others goes on the way. */
export async function* listUploads(folder: LocalFolder, prefix: string): AsyncGenerator<ListedUpload> {
  checkPrefix(prefix);
  const names = await uploadNames(folder);
  for (const name of names) {
    const path = join(folder.uploads, name);
    if (await isLeft(path)) await rm(path, { recursive: true, force: true });
  }
  for (const id of names.filter(isUploadId)) {
    const path = join(folder.uploads, id);
    const record = await readUploadRecord(path);
    if (record?.key.startsWith(prefix) !== true) continue;
    if (await isUnfinished(path)) yield { key: record.key, id, startedMs: record.createdMs };
    else await removeIfObject(path);
  }
}

/** Bytes on the disk that unfinished uploads hold. */
export async function writtenBytes(folder: LocalFolder): Promise<number> {
  let bytes = 0;
  for (const id of (await uploadNames(folder)).filter(isUploadId)) {
    const path = join(folder.uploads, id);
    // What nobody can go on with only takes room.
    if ((await readUploadRecord(path)) === undefined || !(await isUnfinished(path))) continue;
    const data = await stat(dataPath(path)).catch(() => undefined);
    // A data file has its full size from the start; blocks of 512 bytes are what it holds.
    bytes += (data?.blocks ?? 0) * 512;
  }
  return bytes;
}

/** Parts whose bytes were confirmed, in order. */
export async function listParts(folder: LocalFolder, upload: Upload): Promise<Receipt[]> {
  await recordOf(folder, upload);
  return readJournal(uploadPath(folder, upload));
}

/** Where the bytes of a part go. From now on the part counts as missing until it is confirmed again. */
export async function partTarget(
  folder: LocalFolder,
  upload: Upload,
  part: PartDescription
): Promise<{ kind: 'file'; path: string; position: number }> {
  const record = await recordOf(folder, upload);
  checkPart(record, part);
  const path = uploadPath(folder, upload);
  await appendToJournal(path, { kind: 'opened', partNumber: part.partNumber });
  return { kind: 'file', path: dataPath(path), position: part.position };
}

/** Writes a part's receipt into the journal. */
export async function confirmPart(folder: LocalFolder, upload: Upload, part: PartDescription): Promise<Receipt> {
  const record = await recordOf(folder, upload);
  checkPart(record, part);
  const receipt: Receipt = {
    partNumber: part.partNumber,
    size: part.size,
    etag: randomBytes(8).toString('hex'),
    ...(part.crc32 === undefined ? {} : { crc32: part.crc32 }),
  };
  await appendToJournal(uploadPath(folder, upload), { kind: 'confirmed', ...receipt });
  return receipt;
}

/**
 * Checks that all bytes are there, syncs them and gives the data file the key's name. An upload that is gone is told as
 * that, also where an earlier call completed it: what is at the key may be anybody's by now.
 */
export async function completeUpload(
  folder: LocalFolder,
  upload: Upload,
  { parts, size, ifAbsent }: { readonly parts: readonly Receipt[] } & CompleteOptions
): Promise<ObjectInfo> {
  const path = uploadPath(folder, upload);
  const record = await recordOf(folder, upload);
  checkParts(record, { upload, given: parts, held: await readJournal(path), size });
  const data = dataPath(path);
  const stats = await stat(data, { bigint: true });
  if (Number(stats.size) !== size)
    throw conflict(upload, `its data file has ${String(stats.size)} of ${String(size)} bytes`);
  await syncFile(data).catch(async (error: unknown) => {
    // The system tells of lost bytes once: the next sync would not hear of them.
    await abortUpload(folder, upload);
    throw error;
  });
  await (ifAbsent === true ? publishAbsent : publishFile)(folder, data, upload.key);
  await rm(path, { recursive: true, force: true });
  return fileInfo(upload.key, stats);
}

/** Removes an upload and its bytes. */
export async function abortUpload(folder: LocalFolder, upload: Upload): Promise<void> {
  if (!isUploadId(upload.id)) return;
  const path = join(folder.uploads, upload.id);
  // Renamed first: half a removed upload must not look like one that may be taken up again.
  await rename(path, path + REMOVED).catch((error: unknown) => {
    if (!isSystemError(error, 'ENOENT')) throw error;
  });
  await rm(path + REMOVED, { recursive: true, force: true });
}

/** Ends the name of the folder of an upload that is being made. */
const FILLING = '.filling';
/** Ends the name of the folder of an upload that is being removed. */
const REMOVED = '.removed';
const RECORD_IS_WRITTEN_MS = 60_000;

/** What was left by a process that was killed while it made or removed an upload. */
async function isLeft(path: string): Promise<boolean> {
  if (path.endsWith(REMOVED)) return true;
  if (!path.endsWith(FILLING)) return false;
  const record = await readUploadRecord(path);
  if (record !== undefined) return isProvenDead(record.writer?.process);
  const made = await stat(path).catch(() => undefined);
  return made !== undefined && Date.now() - made.mtimeMs > RECORD_IS_WRITTEN_MS;
}

/** The record of an upload that can be written into; `UploadNotFound` otherwise. */
export async function recordOf(folder: LocalFolder, upload: Upload): Promise<UploadRecord> {
  const path = uploadPath(folder, upload);
  const record = await readUploadRecord(path);
  if (record?.key !== upload.key || !(await isUnfinished(path))) throw notFound(folder, upload);
  return record;
}

/** What is left of an upload whose data file has the name of its key: that name stays. */
async function removeIfObject(path: string): Promise<void> {
  const data = await stat(dataPath(path)).catch(() => undefined);
  if (data !== undefined && data.nlink > 1) await rm(path, { recursive: true, force: true });
}

/** A process that was killed right after it gave the data file a key's name leaves both: that file is an object now. */
async function isUnfinished(path: string): Promise<boolean> {
  const data = await stat(dataPath(path)).catch(() => undefined);
  return data !== undefined && data.nlink <= 1;
}

async function uploadNames(folder: LocalFolder): Promise<string[]> {
  return readdir(folder.uploads).catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  });
}

/** The folder of an upload. */
export function uploadPath(folder: LocalFolder, upload: Upload): string {
  // The id comes from outside this process and becomes a path.
  if (!isUploadId(upload.id)) throw notFound(folder, upload);
  return join(folder.uploads, upload.id);
}

/** The data file in the folder of an upload. */
export function dataPath(path: string): string {
  return join(path, 'data');
}

function isUploadId(id: string): boolean {
  return /^[0-9a-f]{32}$/.test(id);
}

/** The failure of an upload that is gone. */
export function notFound(folder: LocalFolder, upload: Upload): PrefetchError {
  return new PrefetchError('UploadNotFound', `There is no such upload of ${upload.key} in ${folder.path}`, {
    details: { key: upload.key },
  });
}
