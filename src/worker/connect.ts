import { Client, type ClientPlugin } from '@temporalio/client';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import { checkNamespace } from './check-namespace.js';
import { checkedConverter } from './checked-converter.js';
import { connectFailure } from './connect-failure.js';
import type { Extensions } from './extensions.js';
import { readTemporalProfile, type TemporalProfile } from './temporal-profile.js';

/** A server that takes the connection and says nothing would hold the SDK for half a minute. */
const CONNECT_MS = 10_000;

/** A server that answered, with the namespace that its configuration names. */
export interface TemporalTarget {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly client: Client;
}

/** How a process connects. */
export interface ConnectOptions extends Partial<Extensions> {
  readonly profile?: string;
}

/**
 * Connects as the Temporal CLI does: profiles, environment, TLS, API keys. `ServerUnavailable` when nobody answers,
 * `NamespaceNotFound` and `TemporalAccessDenied` when the server says so.
 */
export async function connectToTemporal({
  dataConverter,
  plugins = [],
  ...options
}: ConnectOptions = {}): Promise<TemporalTarget> {
  const profile = readTemporalProfile(options);
  const { namespace = 'default' } = profile;
  const configured = configuredBy(plugins, profile.connectionOptions);
  const connection = await inTime(NativeConnection.connect(configured), profile);
  try {
    await checkNamespace(connection, namespace, profile);
    const client = new Client({
      connection,
      namespace,
      ...(dataConverter === undefined ? {} : { dataConverter }),
      plugins: [...plugins, checkingPlugin],
    });
    return { connection, namespace, client };
  } catch (error) {
    // One that is left open holds the process.
    await connection.close();
    throw error;
  }
}

/** Not given to the connection: what a connection hands on comes last, and the check has to. */
function configuredBy(plugins: Extensions['plugins'], options: NativeConnectionOptions): NativeConnectionOptions {
  let configured = options;
  for (const plugin of plugins) configured = plugin.configureNativeConnection?.(configured) ?? configured;
  return configured;
}

/** A result that cannot be decoded is told as that, and named. */
const checkingPlugin: ClientPlugin = {
  name: 'temporal-model-prefetch/client',
  configureClient: (options) => ({
    ...options,
    dataConverter: checkedConverter(options.dataConverter, { patienceMs: 0 }),
  }),
};

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
