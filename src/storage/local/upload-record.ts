import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { isSystemError } from './file-errors.js';
import type { WriterIdentity } from './writer-identity.js';

/** What an upload is of, as `upload.json` says it. */
export interface UploadRecord {
  readonly version: 1;
  readonly key: string;
  readonly size: number;
  readonly partSize: number;
  readonly createdMs: number;
  /** Which store instance writes into it; earlier versions did not say. */
  readonly writer?: UploadWriter;
}

/** One store instance of one process. */
export interface UploadWriter {
  readonly instance: string;
  /** Undefined where the system does not tell. */
  readonly process?: WriterIdentity;
}

/** Writes the record of an upload; it is there whole or not at all. */
export async function writeUploadRecord(upload: string, record: UploadRecord): Promise<void> {
  const path = join(upload, 'upload.json');
  const scratch = `${path}.${randomBytes(4).toString('hex')}.new`;
  const handle = await open(scratch, 'wx');
  try {
    await handle.writeFile(JSON.stringify(record));
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(scratch, path);
}

/** The record of an upload, or undefined where there is none that can be understood. */
export async function readUploadRecord(upload: string): Promise<UploadRecord | undefined> {
  const text = await readFile(join(upload, 'upload.json'), 'utf8').catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  });
  return text === undefined ? undefined : parseRecord(text);
}

function parseRecord(text: string): UploadRecord | undefined {
  const record = parseJson(text);
  if (typeof record !== 'object' || record === null) return undefined;
  if (!('version' in record) || record.version !== 1) return undefined;
  if (!('key' in record) || typeof record.key !== 'string') return undefined;
  if (!('size' in record) || typeof record.size !== 'number') return undefined;
  if (!('partSize' in record) || typeof record.partSize !== 'number') return undefined;
  if (!('createdMs' in record) || typeof record.createdMs !== 'number') return undefined;
  const { key, size, partSize, createdMs } = record;
  const writer = 'writer' in record ? parseWriter(record.writer) : undefined;
  return { version: 1, key, size, partSize, createdMs, ...(writer === undefined ? {} : { writer }) };
}

function parseWriter(writer: unknown): UploadWriter | undefined {
  if (typeof writer !== 'object' || writer === null) return undefined;
  if (!('instance' in writer) || typeof writer.instance !== 'string') return undefined;
  const process = 'process' in writer ? parseProcess(writer.process) : undefined;
  return { instance: writer.instance, ...(process === undefined ? {} : { process }) };
}

function parseProcess(process: unknown): WriterIdentity | undefined {
  if (typeof process !== 'object' || process === null) return undefined;
  if (!('system' in process) || typeof process.system !== 'string') return undefined;
  if (!('pid' in process) || typeof process.pid !== 'number') return undefined;
  if (!('start' in process) || typeof process.start !== 'string') return undefined;
  const { system, pid, start } = process;
  return { system, pid, start };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
