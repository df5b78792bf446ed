import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { PrefetchError } from '../core/errors.js';
import { acceptsConnections, freePort } from './ports.js';
import { killProcess, findProcesses } from './processes.js';
import { forgetServer, recordServer } from './server-record.js';

export interface DevServerOptions {
  /** Path of the Temporal CLI. */
  readonly cli: string;
  /** Folder that keeps the database; this process holds its lock. */
  readonly home: string;
  readonly signal?: AbortSignal;
  /** @default 30 seconds */
  readonly startTimeoutMs?: number;
}

/** A Temporal dev server with its Web UI, on loopback, with a database that outlives it. */
export interface DevServer {
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string;
  readonly pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

interface Launch {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly uiPort: number;
  readonly log: string;
  readonly ended: Promise<void>;
}

const NAMESPACE = 'default';
const LAUNCHES = 3;

/**
 * Starts the dev server of a home and waits until it serves. A server that a killed process left behind is ended first.
 * @throws PrefetchError `ServerUnavailable` with the server's own last words
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const folder = await serverFolder(options.home);
  const database = join(folder, 'temporal.db');
  for (const pid of await findProcesses(['--db-filename', database])) await killProcess(pid);
  const launch = await launchServing(options, database);
  const server = describe(launch, folder);
  await recordServer(folder, server);
  return server;
}

/** The folder of the server's files, by its one real name, so that two spellings of a home are one home. */
async function serverFolder(home: string): Promise<string> {
  const folder = join(home, 'temporal');
  await mkdir(folder, { recursive: true });
  return realpath(folder);
}

/** Someone else may take a port between our choice and the server's start: then other ports are tried. */
async function launchServing(options: DevServerOptions, database: string): Promise<Launch> {
  for (let tries = 1; ; tries += 1) {
    options.signal?.throwIfAborted();
    const launch = await launchServer(options.cli, database);
    try {
      await waitUntilServing(launch, options);
      return launch;
    } catch (error) {
      await stopServer(launch);
      if (tries < LAUNCHES && /address already in use/i.test(await logTail(launch.log))) continue;
      throw error;
    }
  }
}

async function launchServer(cli: string, database: string): Promise<Launch> {
  const [port, uiPort] = [await freePort(), await freePort()];
  const log = `${database}.log`;
  const output = await open(log, 'w');
  try {
    // A process group of its own: Ctrl-C in a terminal must not end the server before the worker.
    const child = spawn(cli, serverArguments({ port, uiPort, database }), {
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => {
        resolve();
      });
      child.once('error', () => {
        resolve();
      });
    });
    // Whatever ends this process in a hurry takes the server along.
    const onExit = () => child.kill('SIGKILL');
    process.once('exit', onExit);
    void ended.then(() => process.off('exit', onExit));
    if (child.pid === undefined) throw unavailable(`${cli} could not be started`);
    return { child, pid: child.pid, port, uiPort, log, ended };
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

/** The port answers first, the default namespace is made up to half a second later. */
async function waitUntilServing(launch: Launch, options: DevServerOptions): Promise<void> {
  const deadline = Date.now() + (options.startTimeoutMs ?? 30_000);
  const hasEnded = () => launch.child.exitCode !== null || launch.child.signalCode !== null;
  const serving = [() => acceptsConnections(launch.port), () => hasNamespace(launch.port)];
  for (const isServing of serving) {
    while (!(await isServing())) {
      options.signal?.throwIfAborted();
      if (hasEnded()) throw unavailable(`The embedded Temporal server ended at once. ${await lastWords(launch.log)}`);
      if (Date.now() > deadline) {
        throw unavailable(`The embedded Temporal server does not answer. ${await lastWords(launch.log)}`);
      }
      await delay(25);
    }
  }
}

async function hasNamespace(port: number): Promise<boolean> {
  const connection = Connection.lazy({ address: `127.0.0.1:${String(port)}` });
  try {
    await connection.withDeadline(Date.now() + 2_000, () =>
      connection.workflowService.describeNamespace({ namespace: NAMESPACE })
    );
    return true;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}

function describe(launch: Launch, folder: string): DevServer {
  return {
    address: `127.0.0.1:${String(launch.port)}`,
    namespace: NAMESPACE,
    uiUrl: `http://127.0.0.1:${String(launch.uiPort)}`,
    pid: launch.pid,
    ended: launch.ended,
    stop: async () => {
      await stopServer(launch);
      await forgetServer(folder);
    },
  };
}

/** Its own orderly end takes two seconds and saves nothing: what it answered is in the write-ahead log already. */
async function stopServer({ child, ended }: Launch): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}

async function lastWords(log: string): Promise<string> {
  const tail = await logTail(log);
  return tail === '' ? `It said nothing in ${log}` : `It said (${log}):\n${tail}`;
}

async function logTail(log: string): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-10).join('\n').slice(-2_000);
}

function unavailable(text: string): PrefetchError {
  return new PrefetchError('ServerUnavailable', text);
}
