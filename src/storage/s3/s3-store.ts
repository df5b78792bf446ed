import { randomBytes } from 'node:crypto';

import type { HttpTarget } from '../../core/byte-source.js';
import { PrefetchError, isPrefetchError, rewrap } from '../../core/errors.js';
import { GiB } from '../../core/units.js';
import type {
  ObjectDescription,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  RequestOptions,
  Upload,
} from '../object-store.js';
import { formatStoreUrl, type StoreUrl } from '../store-url.js';
import { confirmObject, confirmPart, readFailure } from './s3-answers.js';
import { completeUpload, refuseIfThere } from './s3-complete.js';
import { copyObject } from './s3-copy.js';
import { encodeCrc32 } from './s3-crc32.js';
import { fullKeyOf, scratchKey } from './s3-keys.js';
import { deleteObject, deleteObjects, getObject, headObject, listObjectFolders, listObjects } from './s3-objects.js';
import type { S3Options } from './s3-options.js';
import { putObject } from './s3-put.js';
import { openSession, type S3Session } from './s3-session.js';
import { abortUpload, createUpload, findUploads, listParts, listUploads, signPart } from './s3-uploads.js';

const MAX_SINGLE_PUT = 5 * GiB;

/** An S3 bucket, or a prefix of it, as a store: the SDK for control, signed requests of our own for bytes. */
export async function openS3Store(url: StoreUrl & { readonly scheme: 's3' }, options: S3Options): Promise<ObjectStore> {
  const session = await openSession({ bucket: url.bucket, prefix: url.prefix }, options);
  return { root: formatStoreUrl(url), ...objects(session), ...multipart(session) };
}

type Multipart = Pick<
  ObjectStore,
  | 'createUpload'
  | 'findUploads'
  | 'listUploads'
  | 'listParts'
  | 'partTarget'
  | 'confirmPart'
  | 'completeUpload'
  | 'abortUpload'
>;

function objects(session: S3Session): Omit<ObjectStore, 'root' | keyof Multipart> {
  const { connection, sign } = session;
  return {
    capabilities: async (options) => (await session.profile(options)).capabilities,
    checkWritable: (options) => tryWriting(session, options),
    head: (key, options) => headObject(connection, key, options),
    get: (key, options) => getObject(connection, key, options),
    put: (key, body, options) => put(session, { key, body }, options),
    list: (prefix, options) => listObjects(connection, prefix, options),
    listFolders: (prefix, options) => listObjectFolders(connection, prefix, options),
    delete: async (key, options = {}) => deleteObject(connection, fullKeyOf(connection, key), options),
    deleteMany: async (keys, options = {}) =>
      deleteObjects(
        connection,
        keys.map((key) => fullKeyOf(connection, key)),
        options
      ),
    copy: async (from, to, { ifMatch, ifAbsent = false, ...options } = {}) => {
      const { conditionalComplete } = (await session.profile(options)).capabilities;
      const condition = { ifAbsent: ifAbsent && conditionalComplete, ...(ifMatch === undefined ? {} : { ifMatch }) };
      return copyObject(connection, { from, to, ...condition }, options);
    },
    objectTarget: (key, object, options) => objectTarget(session, { key, ...object }, options),
    readTarget: async (key) => {
      const target = await sign({ method: 'GET', fullKey: fullKeyOf(connection, key) });
      return { kind: 'http', ...target };
    },
    confirmObject: (key, object, answer) => confirmObject(connection, key, object, answer),
    readFailure: (failure, key) => readFailure(connection, failure, key),
    close: () => {
      connection.destroy();
      return Promise.resolve();
    },
  };
}

function multipart(session: S3Session): Multipart {
  const { connection, sign } = session;
  const place = (upload: Upload) => ({ fullKey: fullKeyOf(connection, upload.key), id: upload.id });
  return {
    createUpload: async (key, options) => {
      const fullKey = fullKeyOf(connection, key);
      const { checksum } = await session.profile(options);
      return { key, id: await createUpload(connection, { fullKey, checksum }, options) };
    },
    findUploads: (key, options = {}) => findUploads(connection, key, options),
    listUploads: (prefix, options = {}) => listUploads(connection, prefix, options),
    listParts: async (upload, options = {}) => listParts(connection, place(upload), options),
    partTarget: async (upload, part, options) => {
      const { checksum } = await session.profile(options);
      return { kind: 'http', ...(await signPart(sign, { ...place(upload), checksum }, part)) };
    },
    confirmPart: (upload, part, answer) => confirmPart(connection, upload, part, answer),
    completeUpload: async (upload, parts, options) => {
      const { checksum, capabilities } = await session.profile(options);
      const ifAbsent = options.ifAbsent === true && capabilities.conditionalComplete;
      return completeUpload(connection, upload, { ...options, parts, checksum, ifAbsent });
    },
    abortUpload: async (upload, options = {}) => abortUpload(connection, place(upload), options),
  };
}

async function put(
  session: S3Session,
  { key, body }: { readonly key: string; readonly body: Uint8Array },
  options: PutOptions = {}
): Promise<ObjectInfo> {
  const { connection } = session;
  options.signal?.throwIfAborted();
  const fullKey = fullKeyOf(connection, key);
  const { checksum } = await session.profile(options);
  const etag = await putObject(session, { fullKey, body, checksum }, options).catch(async (error: unknown) => {
    const isConflict = options.ifAbsent === true && isPrefetchError(error, 'StoreConflict');
    if (isConflict) await refuseIfThere(connection, key, options);
    const isGone = options.ifMatch !== undefined && isPrefetchError(error, 'ObjectNotFound');
    throw isGone ? rewrap(error, { code: 'StoreConflict', text: error.text }) : error;
  });
  return { key, size: body.byteLength, etag };
}

/** A few bytes in the hidden folder; removing them again may be forbidden, writing may not. */
async function tryWriting(session: S3Session, options: RequestOptions = {}): Promise<void> {
  const { connection } = session;
  const fullKey = scratchKey(connection, `probe-${randomBytes(8).toString('hex')}`);
  const { checksum } = await session.profile(options);
  await putObject(session, { fullKey, body: new TextEncoder().encode('probe'), checksum }, options);
  await deleteObject(connection, fullKey, options).catch((error: unknown) => {
    if (!(error instanceof PrefetchError)) throw error;
  });
}

async function objectTarget(
  session: S3Session,
  { key, size, crc32 }: ObjectDescription & { readonly key: string },
  options?: RequestOptions
): Promise<HttpTarget> {
  if (size > MAX_SINGLE_PUT) {
    throw new PrefetchError(
      'StreamingUnsupported',
      `${key} has ${String(size)} bytes, and S3 takes up to ${String(MAX_SINGLE_PUT)} in one request`
    );
  }
  const { checksum } = await session.profile(options);
  return session.sign({
    method: 'PUT',
    fullKey: fullKeyOf(session.connection, key),
    headers: {
      'content-length': String(size),
      'content-type': 'application/octet-stream',
      ...(checksum && crc32 !== undefined ? { 'x-amz-checksum-crc32': encodeCrc32(crc32) } : {}),
    },
  });
}
