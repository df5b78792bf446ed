import type { NativeConnection } from '@temporalio/worker';
import { PrefetchClient } from '../../client.js';
import type { Settings } from '../../config/environment.js';
import { connectToTemporal, type TemporalTarget } from '../../connect.js';
import { PrefetchError } from '../../core/errors.js';
import { quietRuntime } from './quiet-runtime.js';
import { neverBroken, type Session } from './session.js';

const CONNECT_MS = 10_000;

/** Connects to the cluster of the environment. */
export async function openClusterSession(settings: Settings, options: { readonly verbose: boolean }): Promise<Session> {
  quietRuntime(options);
  const { connection, client } = await connectInTime();
  return {
    kind: 'cluster',
    client,
    prefetches: new PrefetchClient({ client, taskQueue: settings.taskQueue }),
    taskQueue: settings.taskQueue,
    hasWorkers: true,
    broken: neverBroken,
    close: () => closeQuietly(connection),
  };
}

/** A server that takes the connection and says nothing would hold the SDK for half a minute. */
async function connectInTime(): Promise<TemporalTarget> {
  const connecting = connectToTemporal();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(
        new PrefetchError(
          'ServerUnavailable',
          `The Temporal server did not answer within ${String(CONNECT_MS / 1000)} s. Check TEMPORAL_ADDRESS, TEMPORAL_PROFILE and TLS settings`
        )
      );
    }, CONNECT_MS);
  });
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    // It may still come up when nobody waits any more.
    connecting.then(({ connection }) => closeQuietly(connection)).catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function closeQuietly(connection: NativeConnection): Promise<void> {
  await connection.close().catch(() => undefined);
}
