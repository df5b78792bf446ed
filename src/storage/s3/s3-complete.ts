import { CompleteMultipartUploadCommand } from '@aws-sdk/client-s3';

import { PrefetchError, isPrefetchError } from '../../core/errors.js';
import type { CompleteOptions, ObjectInfo, Receipt, RequestOptions, Upload } from '../object-store.js';
import type { S3Connection } from './s3-connection.js';
import { encodeCrc32 } from './s3-crc32.js';
import { fullKeyOf, plainEtag } from './s3-keys.js';
import { headObject } from './s3-objects.js';
import { sendControl } from './s3-send.js';
import { listParts } from './s3-uploads.js';

/** Parts to put together. */
export interface S3Complete {
  readonly fullKey: string;
  readonly id: string;
  readonly parts: readonly Receipt[];
  readonly size: number;
  /** The upload was created with a checksum of the whole object. */
  readonly checksum: boolean;
  readonly crc32?: number;
  /** Only where nothing has the key yet. */
  readonly ifNoneMatch?: boolean;
}

/**
 * Makes the object of an upload visible. The parts that the store holds are compared with the receipts first: some
 * stores put together what they have.
 */
export async function completeUpload(
  connection: S3Connection,
  upload: Upload,
  { parts, ...options }: CompleteOptions & { readonly parts: readonly Receipt[]; readonly checksum: boolean }
): Promise<ObjectInfo> {
  const fullKey = fullKeyOf(connection, upload.key);
  const { size, crc32, checksum, ifAbsent = false } = options;
  const held = await listParts(connection, { fullKey, id: upload.id }, options);
  const checked = checkParts(upload, { given: parts, held, size });
  const complete = { fullKey, id: upload.id, parts: checked, size, checksum, ifNoneMatch: ifAbsent };
  const etag = await sendComplete(
    connection,
    { ...complete, ...(crc32 === undefined ? {} : { crc32 }) },
    options
  ).catch(async (error: unknown) => {
    if (ifAbsent && isPrefetchError(error, 'StoreConflict')) await refuseIfThere(connection, upload.key, options);
    throw error;
  });
  const info = await headObject(connection, upload.key, options);
  if (info?.size !== size)
    throw conflict(upload, `the object has ${String(info?.size ?? 'no')} of ${String(size)} bytes afterwards`);
  // Not the etag that the key has now: that may be somebody else's object already.
  if (etag !== '') return { key: upload.key, size, etag };
  throw new PrefetchError('StoreUnavailable', `The store completed ${upload.key} and gave no ETag`);
}

/** Some stores say 409 while another upload of the key is being completed: only an object that is there is told as one. */
export async function refuseIfThere(connection: S3Connection, key: string, options: RequestOptions): Promise<void> {
  if ((await headObject(connection, key, options)) === undefined) return;
  throw new PrefetchError('ObjectExists', `${key} was written by somebody else meanwhile`, { details: { key } });
}

/** The request itself; gives the etag of the object. */
export async function sendComplete(
  connection: S3Connection,
  complete: S3Complete,
  options: RequestOptions
): Promise<string> {
  const { fullKey, id, parts, size, checksum, crc32 } = complete;
  const answer = await sendControl(
    connection,
    {
      action: 'complete the upload of',
      key: fullKey,
      patience: 'slow',
      send: (client, how) =>
        client.send(
          new CompleteMultipartUploadCommand({
            Bucket: connection.bucket,
            Key: fullKey,
            UploadId: id,
            MpuObjectSize: size,
            MultipartUpload: {
              Parts: parts.map((part) => ({
                PartNumber: part.partNumber,
                ETag: `"${part.etag}"`,
                // Some stores ask for these again, and all take them.
                ...(checksum && part.crc32 !== undefined ? { ChecksumCRC32: encodeCrc32(part.crc32) } : {}),
              })),
            },
            ...(checksum ? { ChecksumType: 'FULL_OBJECT' } : {}),
            ...(checksum && crc32 !== undefined ? { ChecksumCRC32: encodeCrc32(crc32) } : {}),
            ...(complete.ifNoneMatch === true ? { IfNoneMatch: '*' } : {}),
          }),
          how
        ),
    },
    options
  );
  return plainEtag(answer.ETag);
}

/** The parts as the store holds them, once they are what the receipts say. */
function checkParts(
  upload: Upload,
  {
    given,
    held,
    size,
  }: { readonly given: readonly Receipt[]; readonly held: readonly Receipt[]; readonly size: number }
): Receipt[] {
  const heldParts = new Map(held.map((part) => [part.partNumber, part]));
  const bytes = given.reduce((sum, part) => sum + part.size, 0);
  if (bytes !== size) throw conflict(upload, `its parts have ${String(bytes)} of ${String(size)} bytes`);
  return given.map((part, at) => {
    const found = heldParts.get(part.partNumber);
    const inOrder = part.partNumber > (given[at - 1]?.partNumber ?? 0);
    if (inOrder && found !== undefined && isSame(part, found)) return found;
    throw conflict(upload, `part ${String(part.partNumber)} is missing or another one`);
  });
}

function isSame(given: Receipt, held: Receipt): boolean {
  if (given.size !== held.size || plainEtag(given.etag) !== held.etag) return false;
  return given.crc32 === undefined || held.crc32 === undefined || given.crc32 === held.crc32;
}

function conflict(upload: Upload, problem: string): PrefetchError {
  return new PrefetchError('StoreConflict', `The upload of ${upload.key} cannot be completed: ${problem}`, {
    details: { key: upload.key },
  });
}
