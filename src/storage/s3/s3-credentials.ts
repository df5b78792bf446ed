import type { S3Client } from '@aws-sdk/client-s3';

import { PrefetchError } from '../../core/errors.js';
import { noteSecret } from '../../core/secrets.js';
import type { S3Connection } from './s3-connection.js';
import { sourceFailure } from './s3-credential-source.js';

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

/** Clients that have signed before: where they got their credentials then, there are some. */
const signedBefore = new WeakSet<S3Client>();

/**
 * What a client signs with; its secrets are noted, for they change while a process lives. A source of credentials that
 * fails is told as that, and not as something that the store said.
 */
export async function credentialsOf(
  client: S3Client,
  { hasContainerRole }: { readonly hasContainerRole: boolean }
): Promise<Awaited<ReturnType<S3Client['config']['credentials']>>> {
  try {
    const found = await client.config.credentials();
    for (const secret of [found.secretAccessKey, found.sessionToken]) if (secret !== undefined) noteSecret(secret);
    signedBefore.add(client);
    return found;
  } catch (error) {
    if (error instanceof PrefetchError) throw error;
    throw sourceFailure(error, { mayCome: hasContainerRole || signedBefore.has(client) });
  }
}

/** The same client, which looks at its credentials before each request. */
export function tellCredentialsOf(client: S3Client, config: { readonly hasContainerRole: boolean }): S3Client {
  client.middlewareStack.add(
    (next) => async (args) => {
      await credentialsOf(client, config);
      return next(args);
    },
    { step: 'initialize', priority: 'high', name: 'tellCredentials' }
  );
  return client;
}
