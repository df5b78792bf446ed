import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { freePort } from '../../src/embedded/ports.js';
import { temporalCliPath } from './temporal.js';

/** A real dev server that can be killed and started again, with the same port and the same database. */
export interface KeptServer {
  readonly address: string;
  /** Starts it and waits until it serves. */
  start(): Promise<void>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
}

/** A server that is not started yet; its database lies in `folder`. */
export async function keptServer(folder: string): Promise<KeptServer> {
  const port = await freePort();
  const address = `127.0.0.1:${String(port)}`;
  const command = await temporalCliPath();
  let child: ChildProcess | undefined;
  return {
    address,
    start: async () => {
      const args = ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(port)];
      const database = ['--db-filename', join(folder, 'temporal.db'), '--log-level', 'error'];
      child = spawn(command, [...args, ...database], { stdio: 'ignore' });
      while (!(await serves(address))) await delay(50);
    },
    kill: async () => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function serves(address: string): Promise<boolean> {
  const connection = Connection.lazy({ address });
  try {
    await connection.withDeadline(Date.now() + 1_000, () =>
      connection.workflowService.describeNamespace({ namespace: 'default' })
    );
    return true;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}
