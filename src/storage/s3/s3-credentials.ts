import type { S3Client } from '@aws-sdk/client-s3';

import type { S3Connection } from './s3-connection.js';

/** Of many requests that are refused at once, one asks. */
const renewals = new WeakMap<S3Client, Promise<void>>();

/** Asks for the credentials of a connection anew, though they may look good: the store said that they have ended. */
export function renewCredentials({ client }: Pick<S3Connection, 'client'>): Promise<void> {
  const known = renewals.get(client);
  if (known !== undefined) return known;
  const renewal = askAgain(client).finally(() => renewals.delete(client));
  renewals.set(client, renewal);
  return renewal;
}

/** A source of credentials that fails now may have new ones soon: the store's own answer tells what is wrong. */
async function askAgain(client: S3Client): Promise<void> {
  await client.config.credentials({ forceRefresh: true }).catch(() => undefined);
}

/** Credentials that were good once: whoever gives them out has new ones, now or soon. In the words of S3 and of STS. */
const ended = new Set(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired']);

/** Whether a store refused a request because the credentials behind it have ended meanwhile. */
export function areCredentialsEnded(reason: unknown): boolean {
  return typeof reason === 'string' && ended.has(reason);
}
