import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { checkNamespace } from './check-namespace.js';
import { connectFailure } from './connect-failure.js';
import { readTemporalProfile, type TemporalProfile } from './temporal-profile.js';

/** A server that takes the connection and says nothing would hold the SDK for half a minute. */
const CONNECT_MS = 10_000;

/** A server that answered, with the namespace that its configuration names. */
export interface TemporalTarget {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly client: Client;
}

/**
 * Connects as the Temporal CLI does: profiles, environment, TLS, API keys. `ServerUnavailable` when nobody answers,
 * `NamespaceNotFound` and `TemporalAccessDenied` when the server says so.
 */
export async function connectToTemporal(options: { readonly profile?: string } = {}): Promise<TemporalTarget> {
  const profile = readTemporalProfile(options);
  const { connectionOptions, namespace = 'default' } = profile;
  const connection = await inTime(NativeConnection.connect(connectionOptions), profile);
  try {
    await checkNamespace(connection, namespace, profile);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return { connection, namespace, client: new Client({ connection, namespace }) };
}

async function inTime(connecting: Promise<NativeConnection>, profile: TemporalProfile): Promise<NativeConnection> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${String(CONNECT_MS / 1000)} s`));
    }, CONNECT_MS);
  });
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    // It may still come up when nobody waits any more.
    connecting.then((connection) => connection.close()).catch(() => undefined);
    throw connectFailure(error, profile);
  } finally {
    clearTimeout(timer);
  }
}
