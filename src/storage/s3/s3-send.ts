import type { S3Client } from '@aws-sdk/client-s3';

import { isPrefetchError, rewrap, type PrefetchError } from '../../core/errors.js';
import type { RequestOptions } from '../object-store.js';
import { contextOf, type S3Connection } from './s3-connection.js';
import { renewCredentials } from './s3-credentials.js';
import { s3Error } from './s3-errors.js';
import { areCredentialsEnded } from './s3-refusals.js';

/** How long the store may take: seconds for a lookup, minutes where it moves bytes by itself. */
export type Patience = 'quick' | 'slow';

/** A request through the SDK: what it is for messages, and how to send it. */
export interface ControlRequest<T> {
  readonly action: string;
  readonly key?: string;
  readonly patience?: Patience;
  readonly send: (client: S3Client, options: SendOptions) => Promise<T>;
}

/** What every command of the SDK is sent with. */
export interface SendOptions {
  readonly abortSignal: AbortSignal;
  readonly requestTimeout: number;
}

// Completing copies all bytes on some stores: 0.5 s per GiB was seen, and files have up to 500 GB.
const SLOW_MS = 15 * 60_000;
const QUICK_TRIES = 5;

/**
 * Sends a control request with time limits, and gives failures as errors of a store. Where the credentials have ended, or
 * the store says that the bucket is elsewhere, it is sent once more.
 */
export async function sendControl<T>(
  connection: S3Connection,
  request: ControlRequest<T>,
  options: RequestOptions = {}
): Promise<T> {
  const { client } = connection;
  try {
    return await sendOnce(connection, request, options);
  } catch (error) {
    if (await isElsewhere(connection, error, client)) return sendOnce(connection, request, options);
    if (!mayHaveEnded(error)) throw error;
    await renewCredentials(connection);
    return sendOnce(connection, request, options);
  }
}

/** The failure of a request of our own, once what a try after it needs is done: it is signed anew, and for another place. */
export async function beforeNextTry(connection: S3Connection, error: PrefetchError): Promise<PrefetchError> {
  if (areCredentialsEnded(error.details['reason'])) await renewCredentials(connection);
  const { code, permanent, details } = error;
  const mayBeElsewhere = !permanent || code === 'BucketNotFound' || details['addressing'] !== undefined;
  if (!mayBeElsewhere || !(await isElsewhere(connection, error))) return error;
  return rewrap(error, { code: 'StoreUnavailable', text: `${error.text}. It is asked for there from now on` });
}

/** Whether a failure says where the bucket is, so that the request is worth another try there. */
async function isElsewhere(connection: S3Connection, error: unknown, sentBy?: S3Client): Promise<boolean> {
  if (!isPrefetchError(error)) return false;
  const { region, addressing } = error.details;
  if (addressing === 'virtual') return connection.moveTo({ addressing }, sentBy);
  return typeof region === 'string' && connection.moveTo({ region }, sentBy);
}

/** An answer to HEAD has no body that could name the reason. */
function mayHaveEnded(error: unknown): boolean {
  if (!isPrefetchError(error)) return false;
  const { reason, status } = error.details;
  return areCredentialsEnded(reason) || (reason === 'Unknown' && (status === 400 || status === 403));
}

async function sendOnce<T>(
  connection: S3Connection,
  request: ControlRequest<T>,
  { signal }: RequestOptions
): Promise<T> {
  signal?.throwIfAborted();
  const requestTimeout = request.patience === 'slow' ? SLOW_MS : connection.stallMs;
  // The SDK has no limit for the bodies of answers.
  const limit = AbortSignal.timeout(request.patience === 'slow' ? 2 * SLOW_MS : QUICK_TRIES * connection.stallMs);
  const abortSignal = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  try {
    return await request.send(connection.client, { abortSignal, requestTimeout });
  } catch (error) {
    signal?.throwIfAborted();
    throw s3Error(error, contextOf(connection, request.action, request.key));
  }
}
