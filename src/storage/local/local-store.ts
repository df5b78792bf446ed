import { mkdir, rm } from 'node:fs/promises';

import { PrefetchError } from '../../core/errors.js';
import type { HttpAnswer, ObjectStore, RequestOptions, StoreCapabilities } from '../object-store.js';
import { formatStoreUrl } from '../store-url.js';
import { fileError, isSystemError, withFileErrors, type FileContext } from './file-errors.js';
import {
  keyPath,
  localFolder,
  refuseFullDisk,
  scratchPath,
  sweep,
  takesLinks,
  type LocalFolder,
} from './local-folder.js';
import { listFileFolders, listFiles } from './local-list.js';
import { copyObject, headFile, readObject, removeObject, writeObject } from './local-objects.js';
import * as uploads from './local-uploads.js';
import { takeOver } from './take-over.js';

const DAY_MS = 24 * 60 * 60_000;

const capabilities: Omit<StoreCapabilities, 'conditionalComplete' | 'putIfAbsent'> = {
  multipart: true,
  partChecksums: false,
  // No file system replaces a file on a condition.
  putIfMatch: false,
  equalParts: true,
  uploadIds: true,
  listsUploads: true,
  minPartSize: 1,
  maxPartSize: Number.MAX_SAFE_INTEGER,
  maxParts: Number.MAX_SAFE_INTEGER,
};

/**
 * Objects as files in a folder. A file appears under its key by rename only, synced before it and its folder after it;
 * bytes of unfinished uploads wait in a hidden folder of the root.
 */
export function openLocalStore(path: string): ObjectStore {
  const folder = localFolder(path);
  return { root: formatStoreUrl({ scheme: 'file', path }), ...objects(folder), ...multipart(folder) };
}

type Multipart = Pick<
  ObjectStore,
  | 'createUpload'
  | 'findUploads'
  | 'listUploads'
  | 'takeOver'
  | 'listParts'
  | 'partTarget'
  | 'confirmPart'
  | 'completeUpload'
  | 'abortUpload'
>;

function objects(folder: LocalFolder): Omit<ObjectStore, 'root' | keyof Multipart> {
  const at = (action: string, key: string, neededBytes?: number) => () =>
    contextOf(folder, { action, key, neededBytes });
  let links: Promise<boolean> | undefined;
  return {
    capabilities: async (options) => {
      const context = { action: 'write in', path: folder.path };
      links ??= guarded(options, context, () => takesLinks(folder));
      links.catch(() => (links = undefined));
      return { ...capabilities, conditionalComplete: await links, putIfAbsent: await links };
    },
    checkWritable: (options) =>
      guarded(options, { action: 'write in', path: folder.path }, () => tryWriting(folder, options?.bytes ?? 0)),
    head: (key, options) => guarded(options, at('look at', key), () => headFile(folder, key)),
    get: (key, options = {}) => guarded(options, at('read', key), () => readObject(folder, key, options)),
    put: (key, body, options) =>
      guarded(options, at('write', key, body.byteLength), () => writeObject(folder, key, body, options)),
    list: (prefix, options) => guardedList(folder, listFiles(folder, prefix, options), options),
    listFolders: (prefix, options) => guardedList(folder, listFileFolders(folder, prefix, options), options),
    delete: (key, options) => guarded(options, at('remove', key), () => removeObject(folder, key)),
    deleteMany: async (keys, options) => {
      for (const key of keys) await guarded(options, at('remove', key), () => removeObject(folder, key));
    },
    copy: (from, to, { ifMatch, ifAbsent = false, ...options } = {}) =>
      guarded(options, at('copy to', to), () =>
        copyObject(folder, { from, to, ifAbsent, ...(ifMatch === undefined ? {} : { ifMatch }) }, options)
      ),
    readTarget: (key, options) => guarded(options, at('read', key), () => readTarget(folder, key)),
    readFailure: (failure, key) => Promise.resolve(readFailure(folder, failure, key)),
    objectTarget: (key) => Promise.reject(noObjectTarget(folder, key)),
    confirmObject: (key) => Promise.reject(noObjectTarget(folder, key)),
    close: () => Promise.resolve(),
  };
}

function multipart(folder: LocalFolder): Multipart {
  const at = (key: string, neededBytes?: number) => () => contextOf(folder, { action: 'write', key, neededBytes });
  return {
    createUpload: (key, options) =>
      guarded(options, at(key, options.size), () => uploads.createUpload(folder, key, options)),
    findUploads: (key, options) => guarded(options, at(key), () => uploads.findUploads(folder, key)),
    listUploads: (prefix, options) => guardedList(folder, uploads.listUploads(folder, prefix), options),
    takeOver: (upload, options = {}) => guarded(options, at(upload.key), () => takeOver(folder, upload, options)),
    listParts: (upload, options) => guarded(options, at(upload.key), () => uploads.listParts(folder, upload)),
    partTarget: (upload, part, options) =>
      guarded(options, at(upload.key), () => uploads.partTarget(folder, upload, part)),
    confirmPart: (upload, part, _answer, options) =>
      guarded(options, at(upload.key), () => uploads.confirmPart(folder, upload, part)),
    completeUpload: (upload, parts, options) =>
      guarded(options, at(upload.key, options.size), () =>
        uploads.completeUpload(folder, upload, { ...options, parts })
      ),
    abortUpload: (upload, options) => guarded(options, at(upload.key), () => uploads.abortUpload(folder, upload)),
  };
}

function contextOf(
  folder: LocalFolder,
  {
    action,
    key,
    neededBytes,
  }: { readonly action: string; readonly key: string; readonly neededBytes: number | undefined }
): FileContext {
  return { action, path: keyPath(folder, key), ...(neededBytes === undefined ? {} : { neededBytes }) };
}

async function guarded<T>(
  options: RequestOptions | undefined,
  context: FileContext | (() => FileContext),
  action: () => Promise<T>
): Promise<T> {
  options?.signal?.throwIfAborted();
  return withFileErrors(typeof context === 'function' ? context() : context, action);
}

async function* guardedList<T>(
  folder: LocalFolder,
  items: AsyncGenerator<T>,
  { signal }: RequestOptions = {}
): AsyncGenerator<T> {
  const context = { action: 'list', path: folder.path };
  for (;;) {
    signal?.throwIfAborted();
    const next = await withFileErrors(context, () => items.next());
    if (next.done === true) return;
    yield next.value;
  }
}

async function tryWriting(folder: LocalFolder, bytes: number): Promise<void> {
  await makeRoot(folder);
  const probe = await scratchPath(folder);
  try {
    await mkdir(probe);
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
  // What an earlier process wrote of the same objects has its room already.
  await refuseFullDisk(folder, bytes - (await uploads.writtenBytes(folder)));
  await sweep(folder.scratch, DAY_MS);
  await sweep(folder.uploads, 7 * DAY_MS);
}

/** A file in the place of the root stays there until a person moves it, so trying again cannot help. */
async function makeRoot({ path }: LocalFolder): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    if (!isSystemError(error, 'EEXIST', 'ENOTDIR')) throw error;
    throw new PrefetchError('StoreAccessDenied', `${path} is no folder, or lies below a file: choose another store`, {
      details: { path },
    });
  }
}

async function readTarget(folder: LocalFolder, key: string): Promise<{ kind: 'file'; path: string }> {
  if ((await headFile(folder, key)) === undefined) {
    throw new PrefetchError('ObjectNotFound', `There is no ${JSON.stringify(key)} in ${folder.path}`, {
      details: { key },
    });
  }
  return { kind: 'file', path: keyPath(folder, key) };
}

/** Bytes of a file are read by the engine itself: there are no answers to judge, only what the system says. */
function readFailure(folder: LocalFolder, failure: HttpAnswer | Error, key: string): Error {
  const path = keyPath(folder, key);
  if (!(failure instanceof Error)) return new PrefetchError('Internal', `No answer can come from ${path}`);
  const gone = isSystemError(failure, 'ENOENT', 'ENOTDIR');
  if (gone) return new PrefetchError('ObjectNotFound', `There is no ${path} any more`, { details: { key } });
  return fileError(failure, { action: 'read', path });
}

function noObjectTarget(folder: LocalFolder, key: string): PrefetchError {
  return new PrefetchError(
    'StreamingUnsupported',
    `${folder.path} takes ${JSON.stringify(key)} in parts, not in one HTTP request`
  );
}
