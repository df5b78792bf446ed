import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type DeleteObjectsCommandOutput,
  type HeadObjectCommandOutput,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';

import { isPrefetchError } from '../../core/errors.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import type { ObjectInfo, RequestOptions } from '../object-store.js';
import { checkPrefix, isHiddenKey } from '../store-key.js';
import type { S3Connection } from './s3-connection.js';
import { fullKeyOf, keyOf, plainEtag } from './s3-keys.js';
import { sendControl, type ControlRequest } from './s3-send.js';

/** Facts of an object, or undefined. */
export async function headObject(
  connection: S3Connection,
  key: string,
  options: RequestOptions = {}
): Promise<ObjectInfo | undefined> {
  const Key = fullKeyOf(connection, key);
  const send: ControlRequest<HeadObjectCommandOutput>['send'] = (client, how) =>
    client.send(new HeadObjectCommand({ Bucket: connection.bucket, Key }), how);
  const ask = () => orUndefined(sendControl(connection, { action: 'look at', key, send }, options));
  const found = await ask().catch(async (error: unknown) => {
    if (!isWithoutReason(error)) throw error;
    await readFirstByte(connection, key, options);
    return ask();
  });
  return found === undefined ? undefined : { key, size: found.ContentLength ?? 0, etag: plainEtag(found.ETag) };
}

/** An answer to HEAD has no body that could name the reason. */
function isWithoutReason(error: unknown): boolean {
  if (!isPrefetchError(error)) return false;
  const status = Number(error.details['status'] ?? 0);
  return status === 301 || status === 400 || status === 403;
}

/** The same refusal, with a reason; where the store says that the bucket is elsewhere, it is asked there afterwards. */
async function readFirstByte(connection: S3Connection, key: string, options: RequestOptions): Promise<void> {
  const command = { Bucket: connection.bucket, Key: fullKeyOf(connection, key), Range: 'bytes=0-0' };
  const send: ControlRequest<void>['send'] = async (client, how) => {
    const { Body } = await client.send(new GetObjectCommand(command), how);
    await Body?.transformToByteArray();
  };
  await orUndefined(sendControl(connection, { action: 'look at', key, send }, options));
}

/** The bytes of a small object, or undefined. */
export async function getObject(
  connection: S3Connection,
  key: string,
  options: RequestOptions = {}
): Promise<Uint8Array | undefined> {
  const Key = fullKeyOf(connection, key);
  return orUndefined(
    sendControl(
      connection,
      {
        action: 'read',
        key,
        send: async (client, how) => {
          const { Body } = await client.send(new GetObjectCommand({ Bucket: connection.bucket, Key }), how);
          return Body === undefined ? new Uint8Array() : Body.transformToByteArray();
        },
      },
      options
    )
  );
}

/** Removes an object. */
export async function deleteObject(connection: S3Connection, fullKey: string, options: RequestOptions): Promise<void> {
  await orUndefined(
    sendControl(
      connection,
      {
        action: 'remove',
        key: fullKey,
        send: (client, how) => client.send(new DeleteObjectCommand({ Bucket: connection.bucket, Key: fullKey }), how),
      },
      options
    )
  );
}

const MOST_AT_ONCE = 1000;
const REQUESTS_AT_ONCE = 16;

/** Removes many objects, a thousand with each request; one by one what is left of them, or where there is no such request. */
export async function deleteObjects(
  connection: S3Connection,
  fullKeys: readonly string[],
  options: RequestOptions
): Promise<void> {
  for (let from = 0; from < fullKeys.length; from += MOST_AT_ONCE) {
    const some = fullKeys.slice(from, from + MOST_AT_ONCE);
    const left = await deleteAtOnce(connection, some, options);
    await forEachAtOnce(left, { limit: REQUESTS_AT_ONCE, ...options }, (fullKey, inner) =>
      deleteObject(connection, fullKey, inner)
    );
  }
}

/** The keys that are still there: all where the store does not do this. Why one is tells the request for it alone. */
async function deleteAtOnce(
  connection: S3Connection,
  fullKeys: readonly string[],
  options: RequestOptions
): Promise<readonly string[]> {
  const Delete = { Objects: fullKeys.map((Key) => ({ Key })), Quiet: true };
  const command = { Bucket: connection.bucket, Delete };
  const send: ControlRequest<DeleteObjectsCommandOutput>['send'] = (client, how) =>
    client.send(new DeleteObjectsCommand(command), how);
  try {
    const request = { action: 'remove objects in', patience: 'slow', send } as const;
    const { Errors = [] } = await sendControl(connection, request, options);
    return Errors.flatMap(({ Key, Code }) => (Key === undefined || Code === 'NoSuchKey' ? [] : [Key]));
  } catch (error) {
    if (isPrefetchError(error) && noBulk.includes(error.details['status'])) return fullKeys;
    throw error;
  }
}

/**
 * How stores answer that know no request for many objects, or want another digest of it than we can give; and those whose
 * proxies let no POST through.
 */
const noBulk: readonly unknown[] = [400, 403, 404, 405, 411, 501];

/** Objects under a prefix, page by page, in the order that S3 promises: of the keys' UTF-8 bytes. */
export async function* listObjects(
  connection: S3Connection,
  prefix: string,
  options: RequestOptions = {}
): AsyncGenerator<ObjectInfo> {
  checkPrefix(prefix);
  for await (const page of pages(connection, { Prefix: connection.prefix + prefix }, options)) {
    for (const { Key, Size, ETag } of page.Contents ?? []) {
      const key = keyOf(connection, Key);
      if (key !== undefined) yield { key, size: Size ?? 0, etag: plainEtag(ETag) };
    }
  }
}

/** Names of the folders directly under a prefix. */
export async function* listObjectFolders(
  connection: S3Connection,
  prefix: string,
  options: RequestOptions = {}
): AsyncGenerator<string> {
  checkPrefix(prefix);
  const parent = connection.prefix + prefix;
  for await (const page of pages(connection, { Prefix: parent, Delimiter: '/' }, options)) {
    for (const { Prefix: folder } of page.CommonPrefixes ?? []) {
      const name = folder?.startsWith(parent) === true ? folder.slice(parent.length).replace(/\/$/, '') : '';
      if (name !== '' && !isHiddenKey(prefix + name)) yield name;
    }
  }
}

async function* pages(
  connection: S3Connection,
  query: { readonly Prefix: string; readonly Delimiter?: string },
  options: RequestOptions
): AsyncGenerator<ListObjectsV2CommandOutput> {
  let next: string | undefined;
  do {
    const page = await sendControl(
      connection,
      {
        action: 'list',
        key: query.Prefix,
        send: (client, how) =>
          client.send(
            new ListObjectsV2Command({
              Bucket: connection.bucket,
              ...query,
              ...(next === undefined ? {} : { ContinuationToken: next }),
            }),
            how
          ),
      },
      options
    );
    yield page;
    next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (next !== undefined);
}

async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (isPrefetchError(error, 'ObjectNotFound')) return undefined;
    throw error;
  }
}
