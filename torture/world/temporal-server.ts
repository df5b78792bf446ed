import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { prefetchWorkflowId } from '../../src/client.js';
import type { PrefetchInput } from '../../src/core/contract.js';
import { readSettings } from '../../src/config/environment.js';
import { acceptsConnections, freePort } from '../../src/embedded/ports.js';
import { findTemporalCli } from '../../src/embedded/temporal-cli.js';
import { endGroup, startGroup, type ProcessGroup } from './process-groups.js';

const STARTS = 5;

/** A dev server as a process, with its database in a file: killed and started again it goes on on the same port. */
export interface TemporalServer {
  readonly address: string;
  readonly kill: () => void;
  /** Starts it again, if it does not run, and waits until it serves. */
  readonly ensure: () => Promise<void>;
  /** Ends the open run of an input, if there is one. */
  readonly terminate: (namespace: string, input: PrefetchInput) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Path of the Temporal CLI, as a user of the package has it. */
export function temporalCli(): Promise<string> {
  const { cacheFolder, temporalCliPath: cliPath, searchPath } = readSettings();
  return findTemporalCli({ cliPath, searchPath, cacheFolder });
}

/** Starts the server with a second namespace beside `default`. */
export async function startTemporalServer(folder: string): Promise<TemporalServer> {
  const [program, port] = [await temporalCli(), await freePort()];
  const address = `127.0.0.1:${String(port)}`;
  const args = [
    ...['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(port), '--namespace', 'second'],
    ...['--db-filename', join(folder, 'temporal.db'), '--log-level', 'error'],
    ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=1'],
  ];
  const { PATH, HOME } = process.env;
  let server: ProcessGroup | undefined;
  let killed = false;
  const start = async () => {
    // It may be killed again while it starts.
    for (let tries = 0; tries < STARTS; tries++) {
      // The port is free only when the one before is gone.
      if (killed) await server?.ended;
      if (server?.running() !== true) {
        killed = false;
        server = startGroup({ name: 'temporal', program, args, env: { PATH, HOME }, cwd: folder });
      }
      if (await serves(port, server)) return;
    }
    throw new Error(`The Temporal server does not serve: ${server?.output() ?? ''}`);
  };
  let starting = Promise.resolve();
  const ensure = () => {
    starting = starting.catch(() => undefined).then(start);
    return starting;
  };
  await ensure();
  return {
    address,
    ensure,
    kill: () => {
      killed = true;
      server?.signal('SIGKILL');
    },
    terminate: (namespace, input) => terminate(address, { namespace, input }),
    stop: async () => {
      if (server !== undefined) await endGroup(server);
    },
  };
}

async function terminate(
  address: string,
  { namespace, input }: { readonly namespace: string; readonly input: PrefetchInput }
): Promise<void> {
  const connection = Connection.lazy({ address });
  try {
    const client = new Client({ connection, namespace });
    await client.withDeadline(Date.now() + 5_000, () =>
      client.workflow.getHandle(prefetchWorkflowId(input)).terminate('its worker was lost')
    );
  } catch {
    // There is no open run of it: then nothing waits for the lost worker.
  } finally {
    await connection.close();
  }
}

/** False when it ended before it served. */
async function serves(port: number, server: ProcessGroup): Promise<boolean> {
  const deadline = Date.now() + 60_000;
  while (server.running() && Date.now() < deadline) {
    if ((await acceptsConnections(port)) && (await hasNamespaces(port))) return true;
    await delay(25);
  }
  return false;
}

async function hasNamespaces(port: number): Promise<boolean> {
  const connection = Connection.lazy({ address: `127.0.0.1:${String(port)}` });
  try {
    for (const namespace of ['default', 'second']) {
      await connection.withDeadline(Date.now() + 2_000, () =>
        connection.workflowService.describeNamespace({ namespace })
      );
    }
    return true;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}
