import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { isPrefetchError, type ErrorCode, type PrefetchError } from '../../core/errors.js';
import { GiB, MiB } from '../../core/units.js';
import { putBytes } from '../../http/put-bytes.js';
import type { Receipt, StoreCapabilities } from '../object-store.js';
import { sendComplete } from './s3-complete.js';
import { contextOf, type S3Connection } from './s3-connection.js';
import { failureError, failureOf } from './s3-errors.js';
import { plainEtag, scratchKey } from './s3-keys.js';
import { deleteObject } from './s3-objects.js';
import { putOnce } from './s3-put.js';
import { areCredentialsEnded } from './s3-refusals.js';
import type { Signer } from './s3-signer.js';
import { abortUpload, createUpload, listParts, signPart, uploadsUnder } from './s3-uploads.js';

/** What a store can do, and what it is best sent. */
export interface S3Profile {
  readonly capabilities: StoreCapabilities;
  /** It takes CRC32 headers and keeps a CRC32 of whole objects. */
  readonly checksum: boolean;
}

/** An upload in the scratch folder. */
interface Trial {
  readonly connection: S3Connection;
  readonly sign: Signer;
  readonly fullKey: string;
  readonly id: string;
  readonly checksum: boolean;
}

/**
 * Limits of S3, which its relatives keep; for equal parts those of R2, which nothing but its documents tells, and which cost
 * no other store anything.
 */
const limits = { minPartSize: 5 * MiB, maxPartSize: 5 * GiB, maxParts: 10_000, equalParts: true, uploadIds: true };

const first = new TextEncoder().encode('these bytes are sent first');
const second = new TextEncoder().encode('and these replace them');

/**
 * Asks the store by doing: stores differ by version and settings, so their names tell little. A refusal is an answer;
 * a missing bucket, missing rights or no answer at all is a failure.
 */
export async function probeStore(connection: S3Connection, sign: Signer): Promise<S3Profile> {
  const fullKey = scratchKey(connection, `probe-${randomBytes(8).toString('hex')}`);
  const probe = { connection, sign, fullKey };
  try {
    for (const checksum of [true, false]) {
      const found = await answerOf(() => tryMultipart({ ...probe, checksum }), { last: !checksum });
      if (found !== undefined) return found;
    }
    const nothing = { multipart: false, conditionalComplete: false, partChecksums: false };
    const others = { putIfAbsent: false, putIfMatch: false, listsUploads: false };
    return { capabilities: { ...nothing, ...others, ...limits }, checksum: false };
  } finally {
    await cleanUp(() => deleteObject(connection, fullKey, {}));
  }
}

/** Parts out of order, one of them sent twice, listed and completed; undefined where the store mixes them up. */
async function tryMultipart(probe: Omit<Trial, 'id'>): Promise<S3Profile | undefined> {
  return withTrial(probe, async (trial) => {
    await putPart(trial, 2, second);
    await putPart(trial, 1, first);
    await putPart(trial, 1, second);
    const held = await listParts(trial.connection, trial, {});
    if (held.length !== 2 || held.some(({ size }) => size !== second.byteLength)) return undefined;
    const listsUploads = await tryListing(trial);
    const partChecksums = trial.checksum && (await refusesWrongChecksum(trial));
    const [part] = held;
    if (part === undefined) return undefined;
    await complete(trial, part, false);
    const conditionalComplete = await tryCondition(probe);
    const put = {
      putIfAbsent: await isRefused(trial, { 'if-none-match': '*' }),
      putIfMatch: await isRefused(trial, { 'if-match': '"00000000000000000000000000000000"' }),
    };
    return {
      capabilities: { multipart: true, conditionalComplete, partChecksums, listsUploads, ...put, ...limits },
      checksum: trial.checksum,
    };
  });
}

/** Some list the uploads of one key, and of a prefix none at all; some credentials may list none. */
async function tryListing({ connection, fullKey, id }: Trial): Promise<boolean> {
  const prefix = fullKey.slice(0, -1);
  return unlessFailed(async () => {
    for await (const { UploadId } of uploadsUnder(connection, prefix, {})) if (UploadId === id) return true;
    return false;
  });
}

/** A second upload of the key that is there now: the store must refuse to finish it. */
async function tryCondition(probe: Omit<Trial, 'id'>): Promise<boolean> {
  return withTrial(probe, async (trial) => {
    const part = await putPart(trial, 1, second);
    try {
      await complete(trial, part, true);
      return false;
    } catch (error) {
      return isPrefetchError(error, 'StoreConflict');
    }
  });
}

/** Whether the store minds a condition that the object which is there now does not meet. */
async function isRefused(trial: Trial, headers: Readonly<Record<string, string>>): Promise<boolean> {
  const { fullKey, checksum } = trial;
  return unlessFailed(async () => {
    try {
      await putOnce(trial, { fullKey, body: first, checksum, headers }, undefined);
      return false;
    } catch (error) {
      if (isPrefetchError(error, 'StoreConflict')) return true;
      throw error;
    }
  });
}

/** What is good to have and no more: a store that fails at it, or may not be asked, is one that cannot. */
async function unlessFailed(ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ask();
  } catch (error) {
    if (isPrefetchError(error)) return false;
    throw error;
  }
}

async function withTrial<T>(probe: Omit<Trial, 'id'>, run: (trial: Trial) => Promise<T>): Promise<T> {
  const id = await createUpload(probe.connection, probe, {});
  try {
    return await run({ ...probe, id });
  } finally {
    await cleanUp(() => abortUpload(probe.connection, { fullKey: probe.fullKey, id }, {}));
  }
}

async function complete(trial: Trial, part: Receipt, ifNoneMatch: boolean): Promise<void> {
  const { connection, fullKey, id, checksum } = trial;
  const whole = checksum ? { crc32: crc32(second) } : {};
  await sendComplete(connection, { fullKey, id, parts: [part], size: part.size, checksum, ifNoneMatch, ...whole }, {});
}

async function putPart(trial: Trial, partNumber: number, body: Uint8Array): Promise<Receipt> {
  const answer = await sendPart(trial, { partNumber, size: body.byteLength, crc32: crc32(body) }, body);
  if (answer.status !== 200) {
    throw failureError(failureOf(answer), contextOf(trial.connection, 'write a part of', trial.fullKey));
  }
  return { partNumber, size: body.byteLength, etag: plainEtag(answer.headers['etag']), crc32: crc32(body) };
}

async function refusesWrongChecksum(trial: Trial): Promise<boolean> {
  const wrong = { partNumber: 3, size: first.byteLength, crc32: crc32(second) };
  const { status } = await sendPart(trial, wrong, first);
  return status >= 400 && status < 500;
}

async function sendPart(trial: Trial, part: { partNumber: number; size: number; crc32: number }, body: Uint8Array) {
  const target = await signPart(trial.sign, trial, part);
  return putBytes({ target, body, stallMs: trial.connection.stallMs });
}

/** Undefined when the store said that it does not do this; fails when it could not be asked. */
async function answerOf<T>(ask: () => Promise<T>, { last }: { readonly last: boolean }): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    // Without checksums, the settings of the bucket are what is left to refuse: a store without them has uploads.
    const ofSettings = last && isPrefetchError(error) && error.details['settings'] !== undefined;
    if (isPrefetchError(error) && isRefusal(error) && !ofSettings) return undefined;
    throw error;
  }
}

const refusals: readonly unknown[] = [400, 405, 501];
const failures: readonly ErrorCode[] = [
  'BucketNotFound',
  'StoreAccessDenied',
  'StoreCredentialsMissing',
  'StorageFull',
  'EncryptionKeyRefused',
];
const reasons: readonly unknown[] = ['RequestTimeout', 'ExpiredRequest', 'InvalidStorageClass'];

/** Whether a store says that it cannot do something. Some answer 400 to what says nothing about the store; taken for a refusal, it would stay remembered. */
export function isRefusal({ code, details: { status, reason, addressing } }: PrefetchError): boolean {
  if (reasons.includes(reason) || areCredentialsEnded(reason) || addressing !== undefined) return false;
  return refusals.includes(status) && !failures.includes(code);
}

/** A store may allow writing and no removing; leftovers of a probe are a few bytes. */
async function cleanUp(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!isPrefetchError(error)) throw error;
  }
}
