import { spawn, type ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isLeased } from './leases.js';
import { freePort } from './ports.js';
import { killProcess } from './processes.js';

/** All that the supervisor needs to start the server. */
export interface ServerLaunch {
  /** Path of the Temporal CLI. */
  readonly cli: string;
  readonly home: string;
  readonly database: string;
  /** All that the server finds in its environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A server that was started, and the process that watches it. */
export interface ServerProcess {
  /** Of the server; undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly port: number;
  readonly uiPort: number;
  readonly log: string;
  readonly hasEnded: () => boolean;
  /** Resolves when the server and its supervisor have ended. */
  readonly ended: Promise<void>;
  /** Ends it, whoever else uses it. */
  kill(): Promise<void>;
  /** To be called after the own lease was released: waits until the server is gone, or is kept by another command. */
  leave(): Promise<void>;
}

/** It runs as a program of its own, so it is the compiled one, even where this module is not. */
const SUPERVISOR = join(import.meta.dirname, '..', '..', 'dist', 'embedded', 'supervisor-main.js');
const KILL_MS = 5_000;
const LOOK_MS = 10;

/** Starts the server of a home under a supervisor, which ends it when the last lease of the home is gone. */
export async function launchServer({ cli, home, database, environment }: ServerLaunch): Promise<ServerProcess> {
  const [port, uiPort] = [await freePort(), await freePort()];
  const log = `${database}.log`;
  const output = await open(log, 'w', 0o600);
  try {
    const args = [SUPERVISOR, home, cli, ...serverArguments({ port, uiPort, database })];
    const child = spawn(process.execPath, args, {
      // A process group of its own: Ctrl-C in a terminal must not end the server before the worker.
      detached: true,
      stdio: ['ignore', 'pipe', output.fd],
      cwd: dirname(database),
      env: environment,
    });
    const ended = endOf(child);
    const pid = await saidPid(child);
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    return {
      ...{ pid, port, uiPort, log, hasEnded },
      // One whose supervisor was killed is alone, and nobody would end it.
      ended: ended.then(() => (pid === undefined ? undefined : killProcess(pid))),
      kill: () => killSupervised(child, { pid, ended }),
      leave: async () => {
        const deadline = Date.now() + KILL_MS;
        while (!hasEnded() && !(await isLeased(home)) && Date.now() < deadline) await delay(LOOK_MS);
        if (!hasEnded() && !(await isLeased(home))) await killSupervised(child, { pid, ended });
        letGo(child);
      },
    };
  } finally {
    await output.close();
  }
}

function serverArguments(server: { port: number; uiPort: number; database: string }): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1'],
    ...['--port', String(server.port), '--ui-port', String(server.uiPort)],
    ...['--db-filename', server.database],
    // Without these two a database in a file is two to five times slower.
    ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=1'],
    ...['--log-level', 'error'],
  ];
}

async function endOf(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const event of ['exit', 'error']) {
      child.once(event, () => {
        resolve();
      });
    }
  });
}

/** The supervisor says the server's PID; nothing where it could not start it. */
async function saidPid({ stdout }: ChildProcess): Promise<number | undefined> {
  let said = '';
  if (stdout === null) return undefined;
  for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    if (said.includes('\n')) return Number.parseInt(said, 10);
  }
  return undefined;
}

async function killSupervised(
  child: ChildProcess,
  { pid, ended }: { readonly pid: number | undefined; readonly ended: Promise<void> }
): Promise<void> {
  child.kill('SIGTERM');
  await Promise.race([ended, delay(KILL_MS, undefined, { ref: false })]);
  child.kill('SIGKILL');
  if (pid !== undefined) await killProcess(pid);
}

/** The supervisor goes on for another command: this process must be able to end. */
function letGo(child: ChildProcess): void {
  child.stdout?.destroy();
  child.unref();
}
