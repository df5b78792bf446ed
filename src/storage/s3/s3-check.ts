import { randomBytes } from 'node:crypto';

import { isPrefetchError } from '../../core/errors.js';
import type { CheckedStore } from '../check-store.js';
import type { RequestOptions } from '../object-store.js';
import type { StoreUrl } from '../store-url.js';
import { scratchKey } from './s3-keys.js';
import { deleteObject, getObject } from './s3-objects.js';
import type { S3Options } from './s3-options.js';
import { isRefusal } from './s3-probe.js';
import { putObject } from './s3-put.js';
import { openSession, type S3Session } from './s3-session.js';
import { abortUpload, createUpload } from './s3-uploads.js';

/** Reads what is not there, and starts an upload only to give it up: neither leaves anything, whatever may be deleted. */
export async function checkS3Store(
  { bucket, prefix }: StoreUrl & { readonly scheme: 's3' },
  settings: S3Options,
  options: RequestOptions
): Promise<CheckedStore> {
  const session = await openSession({ bucket, prefix }, settings);
  const { connection } = session;
  try {
    await getObject(connection, `${randomBytes(8).toString('hex')}-is-not-there`, options);
    return { multipart: await tryWriting(session, options) };
  } finally {
    connection.destroy();
  }
}

/** Whether the store takes uploads; without them, one object of a few bytes is written again each time. */
async function tryWriting(session: S3Session, options: RequestOptions): Promise<boolean> {
  const { connection } = session;
  const fullKey = scratchKey(connection, `check-${randomBytes(8).toString('hex')}`);
  try {
    const id = await createUpload(connection, { fullKey, checksum: false }, options);
    await unlessRefused(() => abortUpload(connection, { fullKey, id }, options));
    return true;
  } catch (error) {
    if (!isPrefetchError(error) || !isRefusal(error)) throw error;
  }
  const always = { fullKey: scratchKey(connection, 'check'), body: new TextEncoder().encode('check'), checksum: false };
  await putObject(session, always, options);
  await unlessRefused(() => deleteObject(connection, always.fullKey, options));
  return false;
}

async function unlessRefused(tidy: () => Promise<void>): Promise<void> {
  try {
    await tidy();
  } catch (error) {
    if (!isPrefetchError(error)) throw error;
  }
}
