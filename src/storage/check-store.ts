import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PrefetchError } from '../core/errors.js';
import { MiB } from '../core/units.js';
import type { RequestOptions } from './object-store.js';
import type { StoreOptions } from './open-store.js';
import { isSystemError, withFileErrors } from './local/file-errors.js';
import { parseStoreUrl } from './store-url.js';

/** Below this a disk is as good as full: no part of any model would fit. */
const SOME_ROOM = 64 * MiB;

/** What a look at a store found. */
export interface CheckedStore {
  /** False where every file goes by way of local disk. */
  readonly multipart: boolean;
}

/**
 * Whether the store at a root is there and may be read and written, by doing it, and in a way that leaves nothing behind even
 * where nothing may be deleted. Fails as a run would that wants to write there.
 */
export async function checkStore(
  root: string,
  { signal, ...settings }: StoreOptions & RequestOptions = {}
): Promise<CheckedStore> {
  const url = parseStoreUrl(root);
  const options = signal === undefined ? {} : { signal };
  switch (url.scheme) {
    case 's3': {
      const { checkS3Store } = await import('./s3/s3-check.js');
      return checkS3Store(url, settings.s3 ?? {}, options);
    }
    case 'file':
      return checkFolder(url.path, options);
  }
}

/** What lies above the folder must be there: a volume that is not mounted would be written beside, unseen. */
async function checkFolder(path: string, options: RequestOptions): Promise<CheckedStore> {
  const above = dirname(path);
  const isThere = (each: string) =>
    stat(each).then(
      () => true,
      () => false
    );
  if (!(await isThere(path)) && !(await isThere(above))) {
    throw new PrefetchError('StoreAccessDenied', `${path} is not there, and neither is ${above}: mount or make it`, {
      details: { path },
    });
  }
  await withFileErrors({ action: 'write in', path }, () => makeFolder(path));
  const { openLocalStore } = await import('./local/local-store.js');
  await openLocalStore(path).checkWritable({ ...options, bytes: SOME_ROOM });
  return { multipart: true };
}

/** Not recursively: where a folder of the system refuses as /proc does, mkdir of Node tries without an end. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((error: unknown) => {
    if (!isSystemError(error, 'EEXIST')) throw error;
  });
}
