import type { S3Client } from '@aws-sdk/client-s3';

import { isPrefetchError } from '../../core/errors.js';
import type { RequestOptions } from '../object-store.js';
import { contextOf, type S3Connection } from './s3-connection.js';
import { areCredentialsEnded, renewCredentials } from './s3-credentials.js';
import { s3Error } from './s3-errors.js';

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
 * Sends a control request with time limits, and gives failures as errors of a store. Where the credentials have ended, it
 * is sent once more with new ones.
 */
export async function sendControl<T>(
  connection: S3Connection,
  request: ControlRequest<T>,
  options: RequestOptions = {}
): Promise<T> {
  try {
    return await sendOnce(connection, request, options);
  } catch (error) {
    if (!mayHaveEnded(error)) throw error;
    await renewCredentials(connection);
    return sendOnce(connection, request, options);
  }
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
