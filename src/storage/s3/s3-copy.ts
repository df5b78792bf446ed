import { CopyObjectCommand, UploadPartCopyCommand } from '@aws-sdk/client-s3';

import { PrefetchError, isPrefetchError } from '../../core/errors.js';
import { GiB, MiB } from '../../core/units.js';
import { mapAtOnce } from '../../tasks/for-each-at-once.js';
import type { ObjectInfo, Receipt, RequestOptions } from '../object-store.js';
import { encodeKey } from '../store-url.js';
import { refuseIfThere, sendComplete } from './s3-complete.js';
import type { S3Connection } from './s3-connection.js';
import { fullKeyOf, plainEtag } from './s3-keys.js';
import { headObject } from './s3-objects.js';
import { sendControl } from './s3-send.js';
import { abortUpload, createUpload } from './s3-uploads.js';

/** A copy inside the bucket. */
export interface S3Copy {
  readonly from: string;
  readonly to: string;
  readonly ifMatch?: string;
  /** Only where nothing has the key yet. */
  readonly ifAbsent?: boolean;
  /** Up to this size one request copies all; S3's own limit unless a test says otherwise. */
  readonly singleLimit?: number;
  readonly partSize?: number;
}

const MAX_PARTS = 9_500;
const PARTS_AT_ONCE = 8;

/** Copies an object without moving its bytes through this machine. */
export async function copyObject(
  connection: S3Connection,
  copy: S3Copy,
  options: RequestOptions = {}
): Promise<ObjectInfo> {
  const target = fullKeyOf(connection, copy.to);
  const source = await headObject(connection, copy.from, options);
  if (source === undefined) {
    throw new PrefetchError('ObjectNotFound', `There is no ${copy.from} in bucket ${connection.bucket} to copy`, {
      details: { key: copy.from },
    });
  }
  if (copy.ifMatch !== undefined && copy.ifMatch !== source.etag) {
    throw new PrefetchError(
      'StoreConflict',
      `${copy.from} in bucket ${connection.bucket} was replaced by another one`,
      {
        details: { key: copy.from },
      }
    );
  }
  const sent = {
    CopySource: encodeKey(`${connection.bucket}/${fullKeyOf(connection, copy.from)}`),
    CopySourceIfMatch: `"${source.etag}"`,
  };
  // A copy with one request knows no condition on its target in most stores; completing an upload does.
  const ifAbsent = copy.ifAbsent === true && source.size > 0;
  const single = source.size <= (copy.singleLimit ?? 5 * GiB) && !ifAbsent;
  const inParts = { ...sent, target, source, ifAbsent, partSize: partSizeOf(source, copy.partSize) };
  const etag = single
    ? await copyWhole(connection, { ...sent, target }, options)
    : await copyInParts(connection, inParts, options).catch(async (error: unknown) => {
        if (ifAbsent && isPrefetchError(error, 'StoreConflict')) await refuseIfThere(connection, copy.to, options);
        throw error;
      });
  return { key: copy.to, size: source.size, etag };
}

interface CopyRequest {
  readonly CopySource: string;
  readonly CopySourceIfMatch: string;
  readonly target: string;
}

async function copyWhole(
  connection: S3Connection,
  { target, ...sent }: CopyRequest,
  options: RequestOptions
): Promise<string> {
  const command = { Bucket: connection.bucket, Key: target, ...sent };
  const answer = await sendControl(
    connection,
    {
      action: 'copy to',
      key: target,
      patience: 'slow',
      send: (client, how) => client.send(new CopyObjectCommand(command), how),
    },
    options
  );
  return plainEtag(answer.CopyObjectResult?.ETag);
}

interface CopyInParts extends CopyRequest {
  readonly source: ObjectInfo;
  readonly partSize: number;
  readonly ifAbsent: boolean;
}

async function copyInParts(connection: S3Connection, copy: CopyInParts, options: RequestOptions): Promise<string> {
  const { target, source, ifAbsent: ifNoneMatch } = copy;
  const id = await createUpload(connection, { fullKey: target, checksum: false }, options);
  try {
    const count = Math.ceil(source.size / copy.partSize);
    const partNumbers = Array.from({ length: count }, (_, index) => index + 1);
    const parts = await mapAtOnce(partNumbers, { limit: PARTS_AT_ONCE, ...options }, (partNumber, inner) =>
      copyPart(connection, { ...copy, id, partNumber }, inner)
    );
    const complete = { fullKey: target, id, parts, size: source.size, checksum: false, ifNoneMatch };
    return await sendComplete(connection, complete, options);
  } catch (error) {
    // Without the caller's signal: it may be what ended the copy.
    await abortUpload(connection, { fullKey: target, id }, {}).catch(() => undefined);
    throw error;
  }
}

async function copyPart(
  connection: S3Connection,
  copy: CopyInParts & { readonly id: string; readonly partNumber: number },
  options: RequestOptions
): Promise<Receipt> {
  const { target, source, partSize, id, partNumber, CopySource, CopySourceIfMatch } = copy;
  const start = (partNumber - 1) * partSize;
  const end = Math.min(start + partSize, source.size);
  const answer = await sendControl(
    connection,
    {
      action: 'copy a part to',
      key: target,
      patience: 'slow',
      send: (client, how) =>
        client.send(
          new UploadPartCopyCommand({
            Bucket: connection.bucket,
            Key: target,
            UploadId: id,
            PartNumber: partNumber,
            CopySource,
            CopySourceIfMatch,
            CopySourceRange: `bytes=${String(start)}-${String(end - 1)}`,
          }),
          how
        ),
    },
    options
  );
  return { partNumber, size: end - start, etag: plainEtag(answer.CopyPartResult?.ETag) };
}

function partSizeOf(source: ObjectInfo, wanted = 512 * MiB): number {
  return Math.max(wanted, Math.ceil(source.size / MAX_PARTS));
}
