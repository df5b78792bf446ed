import type { NativeConnection } from '@temporalio/worker';
import { PrefetchClient } from '../../client.js';
import type { Settings } from '../../config/environment.js';
import { connectToTemporal } from '../../worker/connect.js';
import { loadExtensions } from '../../worker/extensions.js';
import { quietRuntime } from './quiet-runtime.js';
import { neverBroken, type Session } from './session.js';

/** Connects to the cluster of the environment. */
export async function openClusterSession(settings: Settings, options: { readonly verbose: boolean }): Promise<Session> {
  const extensions = await loadExtensions(settings);
  quietRuntime(options);
  const { connection, client } = await connectToTemporal(extensions);
  const prefetches = new PrefetchClient({ client, taskQueue: settings.taskQueue });
  return {
    kind: 'cluster',
    client,
    prefetches: {
      start: (input) => prefetches.start(input),
      get: (workflowId) => prefetches.get(workflowId),
      isWorkedOn: () => Promise.resolve(true),
    },
    taskQueue: settings.taskQueue,
    broken: neverBroken,
    close: () => closeQuietly(connection),
  };
}

async function closeQuietly(connection: NativeConnection): Promise<void> {
  await connection.close().catch(() => undefined);
}
