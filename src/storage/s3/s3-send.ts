import type { S3Client } from '@aws-sdk/client-s3';

import type { RequestOptions } from '../object-store.js';
import { contextOf, type S3Connection } from './s3-connection.js';
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

/** Sends a control request with time limits, and gives failures as errors of a store. */
export async function sendControl<T>(
  connection: S3Connection,
  request: ControlRequest<T>,
  { signal }: RequestOptions = {}
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
