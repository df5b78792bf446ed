import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { PrefetchClient } from '../../client.js';
import type { Settings } from '../../config/environment.js';
import { homeHolder } from '../../embedded/home-lock.js';
import { readServer } from '../../embedded/server-record.js';
import { quietRuntime } from './quiet-runtime.js';
import { neverBroken, type Session } from './session.js';

/** Joins the embedded server of another process that works in the same home; undefined when there is none. */
export async function openAttachedSession(
  settings: Settings,
  options: { readonly verbose: boolean }
): Promise<Session | undefined> {
  const server = (await homeHolder(settings.home)) === undefined ? undefined : await readServer(settings.home);
  if (server === undefined) return undefined;
  quietRuntime(options);
  const connection = await NativeConnection.connect({ address: server.address });
  const client = new Client({ connection });
  return {
    kind: 'embedded',
    client,
    prefetches: new PrefetchClient({ client, taskQueue: settings.taskQueue }),
    taskQueue: settings.taskQueue,
    hasWorkers: true,
    broken: neverBroken,
    close: () => connection.close(),
  };
}
