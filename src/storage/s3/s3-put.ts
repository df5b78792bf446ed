import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { isPrefetchError } from '../../core/errors.js';
import { putBytes } from '../../http/put-bytes.js';
import { withRetries } from '../../tasks/retries.js';
import type { PutOptions } from '../object-store.js';
import { contextOf, type S3Connection } from './s3-connection.js';
import { encodeCrc32 } from './s3-crc32.js';
import { failureError, failureOf } from './s3-errors.js';
import { plainEtag } from './s3-keys.js';
import { beforeNextTry } from './s3-send.js';
import type { Signer } from './s3-signer.js';

/** A small object to write, and how. */
export interface S3Put {
  readonly fullKey: string;
  readonly body: Uint8Array;
  /** The store takes CRC32 headers. */
  readonly checksum: boolean;
}

const TRIES = 4;
const FIRST_DELAY_MS = 100;

/** Writes an object with one request of our own, which costs a tenth of the SDK's; gives its etag. */
export async function putObject(
  place: { readonly connection: S3Connection; readonly sign: Signer },
  put: S3Put,
  options: PutOptions = {}
): Promise<string> {
  const headers = headersOf(put, options);
  return withRetries({ signal: options.signal, waitMs }, async () => {
    try {
      return await putOnce(place, { ...put, headers }, options.signal);
    } catch (error) {
      throw isPrefetchError(error) ? await beforeNextTry(place.connection, error) : error;
    }
  });
}

/** One request, with the headers that are given. */
export async function putOnce(
  { connection, sign }: { readonly connection: S3Connection; readonly sign: Signer },
  put: S3Put & { readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal | undefined
): Promise<string> {
  const target = await sign({ method: 'PUT', fullKey: put.fullKey, headers: put.headers });
  const answer = await putBytes({
    target,
    body: put.body,
    stallMs: connection.stallMs,
    ...(signal === undefined ? {} : { signal }),
  });
  if (answer.status !== 200) throw failureError(failureOf(answer), contextOf(connection, 'write', put.fullKey));
  return plainEtag(answer.headers['etag']);
}

/** Content-MD5 too: some stores publish a body that was cut unless they are told its digest. */
function headersOf(
  put: S3Put,
  { contentType = 'application/octet-stream', ifAbsent = false, ifMatch }: PutOptions
): Record<string, string> {
  return {
    'content-length': String(put.body.byteLength),
    'content-type': contentType,
    'content-md5': createHash('md5').update(put.body).digest('base64'),
    ...(ifAbsent ? { 'if-none-match': '*' } : {}),
    ...(ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` }),
    ...(put.checksum ? { 'x-amz-checksum-crc32': encodeCrc32(crc32(put.body)) } : {}),
  };
}

function waitMs(error: unknown, failures: number): number | undefined {
  if (!isPrefetchError(error, 'StoreUnavailable') || failures === TRIES) return undefined;
  const own = FIRST_DELAY_MS * 2 ** failures;
  return Math.min(error.retryAfterMs ?? own * (0.5 + Math.random()), 20_000);
}
