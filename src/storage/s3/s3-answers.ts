import { PrefetchError, isPrefetchError, rewrap } from '../../core/errors.js';
import type { HttpAnswer } from '../../core/http-answer.js';
import { brokenRead } from '../broken-read.js';
import type { ObjectDescription, ObjectInfo, PartDescription, Receipt, Upload } from '../object-store.js';
import { contextOf, type S3Connection } from './s3-connection.js';
import { failureError, failureOf, type S3Context } from './s3-errors.js';
import { fullKeyOf, plainEtag } from './s3-keys.js';
import { beforeNextTry } from './s3-send.js';

/** What the store says to the bytes of a part: a receipt, or a failure. */
export async function confirmPart(
  connection: S3Connection,
  { key }: Upload,
  { partNumber, size, crc32 }: PartDescription,
  answer: HttpAnswer | undefined
): Promise<Receipt> {
  const etag = await etagOf(connection, { action: `write part ${partNumber} of`, key }, answer).catch(unlessNamed);
  return { partNumber, size, etag, ...(crc32 === undefined ? {} : { crc32 }) };
}

/** What the store says to the bytes of a whole object. */
export async function confirmObject(
  connection: S3Connection,
  key: string,
  { size }: ObjectDescription,
  answer: HttpAnswer
): Promise<ObjectInfo> {
  return { key, size, etag: await etagOf(connection, { action: 'write', key }, answer) };
}

/** What a read that came to nothing is to be told as. */
export async function readFailure(connection: S3Connection, failure: HttpAnswer | Error, key: string): Promise<Error> {
  if (!(failure instanceof Error)) return refusal(connection, { action: 'read', key }, failure);
  return brokenRead(failure, `${JSON.stringify(fullKeyOf(connection, key))} in bucket ${connection.bucket}`);
}

interface Asked {
  readonly action: string;
  readonly key: string;
}

/** What was written without an etag in the answer cannot be named later. */
async function etagOf(connection: S3Connection, asked: Asked, answer: HttpAnswer | undefined): Promise<string> {
  if (answer === undefined) throw new PrefetchError('Internal', `No answer came to "${asked.action} ${asked.key}"`);
  if (answer.status !== 200) throw await refusal(connection, asked, answer);
  const etag = plainEtag(answer.headers['etag']);
  if (etag !== '') return etag;
  throw failureError({ name: 'no ETag', status: 200 }, contextAt(connection, asked));
}

/** The failure that an answer stands for. */
function refusal(connection: S3Connection, asked: Asked, answer: HttpAnswer): Promise<PrefetchError> {
  return beforeNextTry(connection, failureError(failureOf(answer), contextAt(connection, asked)));
}

function contextAt(connection: S3Connection, { action, key }: Asked): S3Context {
  return contextOf(connection, action, fullKeyOf(connection, key));
}

/** A 404 that does not say that the upload is gone may come from a proxy: its parts must not be given up for it. */
function unlessNamed(error: unknown): never {
  if (!isPrefetchError(error, 'ObjectNotFound')) throw error;
  throw rewrap(error, { code: 'StoreUnavailable', text: error.text });
}
