import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { isSystemError } from './file-errors.js';

/** What an upload is of, as `upload.json` says it. */
export interface UploadRecord {
  readonly version: 1;
  readonly key: string;
  readonly size: number;
  readonly partSize: number;
  readonly createdMs: number;
}

/** Writes the record of an upload; it is there whole or not at all. */
export async function writeUploadRecord(upload: string, record: Omit<UploadRecord, 'createdMs'>): Promise<void> {
  const path = join(upload, 'upload.json');
  const handle = await open(`${path}.new`, 'wx');
  try {
    await handle.writeFile(JSON.stringify({ ...record, createdMs: Date.now() }));
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
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
  return { version: 1, key, size, partSize, createdMs };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
