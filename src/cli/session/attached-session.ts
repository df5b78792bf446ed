import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { PrefetchClient } from '../../client.js';
import type { Settings } from '../../config/environment.js';
import { PrefetchError } from '../../core/errors.js';
import { homeHolder } from '../../embedded/home-lock.js';
import { takeLease } from '../../embedded/leases.js';
import { checkPrivateHome } from '../../embedded/private-home.js';
import { readSealKey, sealForClient } from '../../embedded/seal.js';
import { readServer } from '../../embedded/server-record.js';
import { Cleanup } from './cleanup.js';
import { quietRuntime } from './quiet-runtime.js';
import type { Session } from './session.js';

const LOOK_MS = 1_000;

/**
 * Joins the embedded server of another process that works in the same home; undefined when there is none. The lease
 * keeps the server until this session is closed, whatever becomes of the other process.
 */
export async function openAttachedSession(
  settings: Settings,
  options: { readonly verbose: boolean }
): Promise<Session | undefined> {
  const { home } = settings;
  await checkPrivateHome(home);
  if ((await homeHolder(home)) === undefined) return undefined;
  const cleanup = new Cleanup();
  try {
    // In this order: the server's supervisor takes the record away before it looks for leases the last time.
    const lease = await takeLease(home);
    cleanup.add(() => lease.release());
    const server = await readServer(home);
    const connection = server === undefined ? undefined : await connect(server.address, options);
    if (server === undefined || connection === undefined) {
      await cleanup.run();
      return undefined;
    }
    cleanup.add(() => connection.close());
    const seal = { key: await readSealKey(home), session: server.session };
    const client = new Client({ connection, dataConverter: sealForClient(seal, { sealed: 'ever' }) });
    return {
      kind: 'embedded',
      client,
      prefetches: new PrefetchClient({ client, taskQueue: settings.taskQueue }),
      taskQueue: settings.taskQueue,
      hasWorkers: true,
      broken: lossOfWorker(home, cleanup),
      close: () => cleanup.run(),
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

/** The record of a process that was killed names a server that is gone. */
async function connect(address: string, options: { readonly verbose: boolean }): Promise<NativeConnection | undefined> {
  quietRuntime(options);
  return NativeConnection.connect({ address }).catch(() => undefined);
}

/** The server goes on for this command, but the worker ends with the process that holds the home. */
function lossOfWorker(home: string, cleanup: Cleanup): Promise<never> {
  const over = new AbortController();
  cleanup.add(() => {
    over.abort();
    return Promise.resolve();
  });
  const watch = async (): Promise<never> => {
    for (let misses = 0; misses < 2;) {
      await delay(LOOK_MS, undefined, { signal: over.signal });
      // A run that is done is told before its process is missed.
      misses = (await homeHolder(home)) === undefined ? misses + 1 : 0;
    }
    throw new PrefetchError('NoWorkers', 'The command that worked on the run has ended. Run hf-model again');
  };
  const loss = watch();
  loss.catch(() => undefined);
  return loss;
}
