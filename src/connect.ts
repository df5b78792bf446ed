import { Client } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import { PrefetchError } from './core/errors.js';

export interface TemporalTarget {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly client: Client;
}

/** Connects as the Temporal CLI does: profiles, environment, TLS, API keys. `ServerUnavailable` when nobody answers. */
export async function connectToTemporal(options: { readonly profile?: string } = {}): Promise<TemporalTarget> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig(options);
  try {
    const connection = await NativeConnection.connect(connectionOptions);
    return { connection, namespace, client: new Client({ connection, namespace }) };
  } catch (error) {
    throw new PrefetchError(
      'ServerUnavailable',
      `No Temporal server answers at ${connectionOptions.address ?? 'localhost:7233'} ` +
        `(${error instanceof Error ? error.message : String(error)}). Check TEMPORAL_ADDRESS, TEMPORAL_PROFILE and TLS settings`
    );
  }
}
