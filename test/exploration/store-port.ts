import type { ObjectInfo, ObjectStore, Receipt, Upload } from '../../src/storage/object-store.js';
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
    objectTarget: () => Promise.reject(new Error('Everything goes in parts')),
    readTarget: (key) => Promise.resolve({ kind: 'http', url: `mem://${port.serial}/read/${key}`, headers: {} }),
    close: () => Promise.resolve(),
  };
}

function uploadsOf(port: ProcessPort, kind: StoreKind): Uploads & TakesOver {
  const { token } = port;
  const ask = asking(port);
  const limits = { partChecksums: false, minPartSize: 1, maxPartSize: 2 ** 30, maxParts: 1000 };
  const target = (path: string) => ({ kind: 'http' as const, url: `mem://${port.serial}/part/${path}`, headers: {} });
  return {
    capabilities: () => Promise.resolve({ multipart: true, conditionalComplete: kind.conditional, ...limits }),
    createUpload: (key, { size, partSize, ...options }) =>
      ask<Upload>(options, { op: 'createUpload', key, size, partSize, token: token() }),
    findUploads: (key, options) => ask<Upload[]>(options, { op: 'findUploads', key }),
    listParts: (upload, options) => ask<Receipt[]>(options, { op: 'listParts', upload }),
    partTarget: async (upload, part, options) =>
      // S3 is not asked where a part goes, nor told that it arrived.
      target(
        kind.folder ? await ask<string>(options, { op: 'partTarget', upload, part }) : `${upload.id}/${part.partNumber}`
      ),
    confirmPart: async (upload, part, etag = '', options) =>
      kind.folder
        ? ask<Receipt>(options, { op: 'confirmPart', upload, part, token: token() })
        : { partNumber: part.partNumber, size: part.size, etag },
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
