import { isPrefetchError, PrefetchError } from '../../src/core/errors.js';
import { brokenRead } from '../../src/storage/broken-read.js';
import type { HttpAnswer, ObjectInfo, ObjectStore, Receipt, Upload } from '../../src/storage/object-store.js';
import type { Conditions } from './calls.js';
import { contentOf, type Content } from './content.js';
import type { ProcessPort } from './process.js';
import type { StoreKind } from './store-kind.js';

/** A take-over of a found upload, where the store knows one. */
interface TakesOver {
  takeOver?(upload: Upload, options?: object): Promise<Upload>;
}

/** The store as a process sees it: each method that reaches the store is a call that waits for the exploration. */
export function openStoreOf(port: ProcessPort, kind: StoreKind): ObjectStore & TakesOver {
  return { ...objectsOf(port), ...uploadsOf(port, kind) };
}

type Uploads = Pick<
  ObjectStore,
  | 'capabilities'
  | 'createUpload'
  | 'findUploads'
  | 'listUploads'
  | 'listParts'
  | 'partTarget'
  | 'confirmPart'
  | 'completeUpload'
  | 'abortUpload'
>;

function objectsOf(port: ProcessPort): Omit<ObjectStore, keyof Uploads> {
  const { token } = port;
  const ask = asking(port);
  return {
    root: `mem://${port.serial}/`,
    checkWritable: () => Promise.resolve(),
    head: (key, options) => ask<ObjectInfo | undefined>(options, { op: 'head', key }),
    get: async (key, options) => (await ask<Content | undefined>(options, { op: 'get', key }))?.bytes,
    put: (key, body, options) => {
      const conditions = conditionsOf(options);
      return ask<ObjectInfo>(options, { op: 'put', key, body: contentOf(body), conditions, token: token() });
    },
    list: (prefix, options) => each(() => ask<ObjectInfo[]>(options, { op: 'list', prefix })),
    listFolders: (prefix, options) => each(() => ask<string[]>(options, { op: 'listFolders', prefix })),
    delete: async (key, options) => {
      await ask(options, { op: 'delete', key });
    },
    copy: (from, to, options) =>
      ask<ObjectInfo>(options, { op: 'copy', from, to, conditions: conditionsOf(options), token: token() }),
    deleteMany: async (keys, options) => {
      for (const key of keys) await ask(options, { op: 'delete', key });
    },
    objectTarget: () => Promise.reject(new Error('Everything goes in parts')),
    confirmObject: () => Promise.reject(new Error('Everything goes in parts')),
    readFailure: (failure, key) => Promise.resolve(readFailure(failure, key)),
    readTarget: (key) => Promise.resolve({ kind: 'http', url: `mem://${port.serial}/read/${key}`, headers: {} }),
    close: () => Promise.resolve(),
  };
}

function uploadsOf(port: ProcessPort, kind: StoreKind): Uploads & TakesOver {
  const { token } = port;
  const ask = asking(port);
  const limits = { minPartSize: 1, maxPartSize: 2 ** 30, maxParts: 1000, equalParts: true, uploadIds: true };
  const putIfMatch = kind.conditional && !kind.folder;
  const knows = { putIfAbsent: kind.conditional, putIfMatch, partChecksums: false, listsUploads: false };
  const target = (path: string) => ({ kind: 'http' as const, url: `mem://${port.serial}/part/${path}`, headers: {} });
  return {
    capabilities: () =>
      Promise.resolve({ multipart: true, conditionalComplete: kind.conditional, ...knows, ...limits }),
    createUpload: (key, { size, partSize, ...options }) =>
      ask<Upload>(options, { op: 'createUpload', key, size, partSize, token: token() }),
    findUploads: (key, options) => ask<Upload[]>(options, { op: 'findUploads', key }),
    listUploads: () => each(() => Promise.reject(new Error('Nobody asks for the uploads of many keys'))),
    listParts: (upload, options) => ask<Receipt[]>(options, { op: 'listParts', upload }),
    partTarget: async (upload, part, options) =>
      // S3 is not asked where a part goes, nor told that it arrived.
      target(
        kind.folder ? await ask<string>(options, { op: 'partTarget', upload, part }) : `${upload.id}/${part.partNumber}`
      ),
    confirmPart: async (upload, part, answer, options) => {
      if (answer?.status !== 200) throw refusal(answer);
      return kind.folder
        ? ask<Receipt>(options, { op: 'confirmPart', upload, part, token: token() })
        : { partNumber: part.partNumber, size: part.size, etag: answer.headers['etag'] ?? '' };
    },
    completeUpload: (upload, parts, { size, ifAbsent = false, ...options }) =>
      ask<ObjectInfo>(options, { op: 'completeUpload', upload, parts, size, ifAbsent }),
    abortUpload: async (upload, options) => {
      await ask(options, { op: 'abortUpload', upload });
    },
    ...(kind.folder
      ? {
          takeOver: (upload: Upload, options?: object) =>
            ask<Upload>(options, { op: 'takeOver', upload, token: token() }),
        }
      : {}),
  };
}

function refusal(answer: HttpAnswer | undefined): PrefetchError {
  const isGone = answer?.text.includes('NoSuchUpload') === true;
  return new PrefetchError(
    isGone ? 'UploadNotFound' : 'StoreUnavailable',
    `A part was answered ${answer?.status ?? 0}`
  );
}

function readFailure(failure: HttpAnswer | Error, key: string): Error {
  const isGone = isPrefetchError(failure) && failure.details['status'] === 404;
  if (isGone) return new PrefetchError('ObjectNotFound', `${key} is gone`);
  return failure instanceof Error ? brokenRead(failure, key) : new PrefetchError('StoreUnavailable', key);
}

function asking(port: ProcessPort) {
  return async <T>(options: object | undefined, call: Parameters<ProcessPort['ask']>[0]): Promise<T> => {
    if (options !== undefined && 'signal' in options && options.signal instanceof AbortSignal) {
      options.signal.throwIfAborted();
    }
    return (await port.ask(call)) as T;
  };
}

function conditionsOf(options: object = {}): Conditions {
  const { ifAbsent, ifMatch } = options as Conditions;
  return { ...(ifAbsent === undefined ? {} : { ifAbsent }), ...(ifMatch === undefined ? {} : { ifMatch }) };
}

async function* each<T>(page: () => Promise<T[]>): AsyncGenerator<T> {
  yield* await page();
}
