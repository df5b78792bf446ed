import { Client } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import { PrefetchError } from '../core/errors.js';

/** A server that takes the connection and says nothing would hold the SDK for half a minute. */
const CONNECT_MS = 10_000;

/** A server that answered, with the namespace that its configuration names. */
export interface TemporalTarget {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly client: Client;
}

/** Connects as the Temporal CLI does: profiles, environment, TLS, API keys. `ServerUnavailable` when nobody answers. */
export async function connectToTemporal(options: { readonly profile?: string } = {}): Promise<TemporalTarget> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig(options);
  const address = connectionOptions.address ?? 'localhost:7233';
  const connection = await inTime(NativeConnection.connect(connectionOptions), address);
  return { connection, namespace, client: new Client({ connection, namespace }) };
}

async function inTime(connecting: Promise<NativeConnection>, address: string): Promise<NativeConnection> {
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
    throw new PrefetchError(
      'ServerUnavailable',
      `No Temporal server answers at ${address} (${error instanceof Error ? error.message : String(error)}). ` +
        'Check TEMPORAL_ADDRESS, TEMPORAL_PROFILE and TLS settings'
    );
  } finally {
    clearTimeout(timer);
  }
}
