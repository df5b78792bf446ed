import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { join } from 'node:path';
import { isLeased, leaseFolder } from './leases.js';
import { forgetServer, withdrawServer } from './server-record.js';

/** A command that was killed says nothing: its lease is looked at this often. */
const LOOK_MS = 1_000;

/** The server of one home, as a command line. */
export interface Supervised {
  readonly home: string;
  /** Path of the Temporal CLI. */
  readonly cli: string;
  readonly args: readonly string[];
  /** Told the server's PID. */
  readonly onStart: (pid: number) => void;
}

/**
 * Runs the server of a home for as long as any command of that home lives, and ends it then.
 * It is the server's parent, so that there is no moment at which a killed command leaves a server that nobody watches.
 */
export async function supervise({ home, cli, args, onStart }: Supervised): Promise<void> {
  if (!(await isLeased(home))) return;
  // Whatever the server makes is its owner's alone.
  process.umask(0o077);
  const server = spawn(cli, args, { stdio: ['ignore', 2, 2] });
  const ended = endOf(server);
  process.once('SIGTERM', () => server.kill('SIGKILL'));
  if (server.pid !== undefined) onStart(server.pid);
  const stopLooking = lookForLeases(home, server);
  await ended;
  stopLooking();
  await forgetServer(join(home, 'temporal'));
}

/** One look after the other, each second and whenever a lease comes or goes. */
function lookForLeases(home: string, server: ChildProcess): () => void {
  let looking: Promise<void> = Promise.resolve();
  const look = () => {
    looking = looking.then(() => endUnlessLeased(home, server)).catch(() => undefined);
  };
  const timer = setInterval(look, LOOK_MS);
  const watcher = watchFolder(leaseFolder(home), look);
  return () => {
    clearInterval(timer);
    watcher?.close();
  };
}

/**
 * Who joins takes a lease first and reads the record then. So the record goes first here and the leases are looked at
 * once more: one of the two sees the other.
 */
async function endUnlessLeased(home: string, server: ChildProcess): Promise<void> {
  if (await isLeased(home)) return;
  const putBack = await withdrawServer(join(home, 'temporal'));
  if (await isLeased(home)) await putBack();
  // Its own orderly end takes two seconds and saves nothing: what it answered is in the write-ahead log already.
  else server.kill('SIGKILL');
}

/** Hearing of it at once is a nicety: the machine may have no watches left. */
function watchFolder(folder: string, onChange: () => void): { close(): void } | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onChange);
    watcher.on('error', () => {
      watcher.close();
    });
    return watcher;
  } catch {
    return undefined;
  }
}

async function endOf(server: ChildProcess): Promise<void> {
  await once(server, 'exit').catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  });
}
