import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
} from '@aws-sdk/client-s3';

import type { HttpTarget } from '../../core/byte-source.js';
import { PrefetchError, isPrefetchError, rewrap, type ErrorCode } from '../../core/errors.js';
import type { ListedUpload, PartDescription, Receipt, RequestOptions, Upload } from '../object-store.js';
import { checkPrefix } from '../store-key.js';
import type { S3Connection } from './s3-connection.js';
import { decodeCrc32, encodeCrc32 } from './s3-crc32.js';
import { fullKeyOf, keyOf, plainEtag } from './s3-keys.js';
import { sendControl } from './s3-send.js';
import type { Signer } from './s3-signer.js';

/** Starts an upload; with `checksum` the store keeps a CRC32 of the whole object. */
export async function createUpload(
  connection: S3Connection,
  start: { readonly fullKey: string; readonly checksum: boolean },
  options: RequestOptions
): Promise<string> {
  const { fullKey, checksum } = start;
  const answer = await sendControl(
    connection,
    {
      action: 'start an upload of',
      key: fullKey,
      send: (client, how) =>
        client.send(
          new CreateMultipartUploadCommand({
            Bucket: connection.bucket,
            Key: fullKey,
            ContentType: 'application/octet-stream',
            ...(checksum ? { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' } : {}),
          }),
          how
        ),
    },
    options
  );
  if (answer.UploadId !== undefined) return answer.UploadId;
  throw new PrefetchError('StoreUnavailable', `${connection.endpoint} started an upload and gave no id`);
}

/** Unfinished uploads of exactly this key, newest first; none where the store cannot list them. */
export async function findUploads(connection: S3Connection, key: string, options: RequestOptions): Promise<Upload[]> {
  fullKeyOf(connection, key);
  const found: ListedUpload[] = [];
  for await (const upload of listUploads(connection, key, options)) if (upload.key === key) found.push(upload);
  return found.sort((a, b) => b.startedMs - a.startedMs).map(({ id }) => ({ key, id }));
}

/** Unfinished uploads under a prefix, page by page. */
export async function* listUploads(
  connection: S3Connection,
  prefix: string,
  options: RequestOptions
): AsyncGenerator<ListedUpload> {
  checkPrefix(prefix);
  for await (const { Key, UploadId, Initiated } of uploadsUnder(connection, connection.prefix + prefix, options)) {
    const key = keyOf(connection, Key);
    if (key !== undefined && UploadId !== undefined) yield { key, id: UploadId, startedMs: Initiated?.getTime() ?? 0 };
  }
}

/** Unfinished uploads in the bucket, as it lists them; none where it cannot. */
export async function* uploadsUnder(
  connection: S3Connection,
  Prefix: string,
  options: RequestOptions
): AsyncGenerator<NonNullable<UploadsPage['Uploads']>[number]> {
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (marker !== undefined) {
    const query = { Bucket: connection.bucket, Prefix, ...marker };
    const page = await sendControl(
      connection,
      {
        action: 'list the uploads of',
        key: Prefix,
        send: (client, how) => client.send(new ListMultipartUploadsCommand(query), how),
      },
      options
    ).catch(noneIfUnsupported);
    yield* page.Uploads ?? [];
    marker = nextMarker(page);
  }
}

/** Parts that the store holds, in order. */
export async function listParts(
  connection: S3Connection,
  upload: { readonly fullKey: string; readonly id: string },
  options: RequestOptions
): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  let marker: string | undefined;
  do {
    const query = { Bucket: connection.bucket, Key: upload.fullKey, UploadId: upload.id };
    const page = await sendControl(
      connection,
      {
        action: 'list the parts of',
        key: upload.fullKey,
        send: (client, how) =>
          client.send(
            new ListPartsCommand({ ...query, ...(marker === undefined ? {} : { PartNumberMarker: marker }) }),
            how
          ),
      },
      options
    ).catch(asUploadNotFound);
    for (const { PartNumber, Size, ETag, ChecksumCRC32 } of page.Parts ?? []) {
      if (PartNumber === undefined) continue;
      const crc32 = decodeCrc32(ChecksumCRC32);
      receipts.push({
        partNumber: PartNumber,
        size: Size ?? 0,
        etag: plainEtag(ETag),
        ...(crc32 === undefined ? {} : { crc32 }),
      });
    }
    marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined;
  } while (marker !== undefined);
  return receipts.sort((a, b) => a.partNumber - b.partNumber);
}

/** A signed PUT for the bytes of a part. */
export function signPart(
  sign: Signer,
  upload: { readonly fullKey: string; readonly id: string; readonly checksum: boolean },
  part: Pick<PartDescription, 'partNumber' | 'size' | 'crc32'>
): Promise<HttpTarget> {
  return sign({
    method: 'PUT',
    fullKey: upload.fullKey,
    query: { partNumber: String(part.partNumber), uploadId: upload.id },
    headers: {
      'content-length': String(part.size),
      ...(upload.checksum && part.crc32 !== undefined ? { 'x-amz-checksum-crc32': encodeCrc32(part.crc32) } : {}),
    },
  });
}

/** Gives up an upload; one that is not there is no error. */
export async function abortUpload(
  connection: S3Connection,
  upload: { readonly fullKey: string; readonly id: string },
  options: RequestOptions
): Promise<void> {
  await sendControl(
    connection,
    {
      action: 'abort the upload of',
      key: upload.fullKey,
      send: (client, how) =>
        client.send(
          new AbortMultipartUploadCommand({ Bucket: connection.bucket, Key: upload.fullKey, UploadId: upload.id }),
          how
        ),
    },
    options
  ).catch((error: unknown) => {
    if (!isPrefetchError(error, 'UploadNotFound') && !isPrefetchError(error, 'ObjectNotFound')) throw error;
  });
}

interface UploadsPage {
  readonly Uploads?:
    { Key?: string | undefined; UploadId?: string | undefined; Initiated?: Date | undefined }[] | undefined;
  readonly IsTruncated?: boolean | undefined;
  readonly NextKeyMarker?: string | undefined;
  readonly NextUploadIdMarker?: string | undefined;
}

function nextMarker(page: UploadsPage): { KeyMarker?: string; UploadIdMarker?: string } | undefined {
  if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return undefined;
  const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
  return { KeyMarker, ...(UploadIdMarker === undefined ? {} : { UploadIdMarker }) };
}

const withoutList: readonly ErrorCode[] = ['UnsupportedStore', 'ObjectNotFound', 'StoreAccessDenied'];

/** A store without such a list, or with one that we may not see, loses parts after a crash, nothing else. */
function noneIfUnsupported(error: unknown): UploadsPage {
  if (!isPrefetchError(error)) throw error;
  if (withoutList.includes(error.code) || error.details['status'] === 405) return {};
  throw error;
}

/** Some stores answer a plain 404. */
function asUploadNotFound(error: unknown): never {
  if (!isPrefetchError(error, 'ObjectNotFound')) throw error;
  throw rewrap(error, { code: 'UploadNotFound', text: 'The store knows no such upload any more' });
}
