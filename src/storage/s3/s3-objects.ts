import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';

import { isPrefetchError } from '../../core/errors.js';
import type { ObjectInfo, RequestOptions } from '../object-store.js';
import { checkPrefix, isHiddenKey } from '../store-key.js';
import type { S3Connection } from './s3-connection.js';
import { fullKeyOf, keyOf, plainEtag } from './s3-keys.js';
import { sendControl } from './s3-send.js';

/** Facts of an object, or undefined. */
export async function headObject(
  connection: S3Connection,
  key: string,
  options: RequestOptions = {}
): Promise<ObjectInfo | undefined> {
  const Key = fullKeyOf(connection, key);
  const found = await orUndefined(
    sendControl(
      connection,
      {
        action: 'look at',
        key,
        send: (client, how) => client.send(new HeadObjectCommand({ Bucket: connection.bucket, Key }), how),
      },
      options
    )
  );
  return found === undefined ? undefined : { key, size: found.ContentLength ?? 0, etag: plainEtag(found.ETag) };
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
