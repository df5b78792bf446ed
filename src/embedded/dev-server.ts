import { randomBytes } from 'node:crypto';
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { PrefetchError } from '../core/errors.js';
import { takeLease, type Lease } from './leases.js';
import { acceptsConnections } from './ports.js';
import { killProcess, findProcesses } from './processes.js';
import { launchServer, type ServerProcess } from './server-process.js';
import { recordServer, type ServerRecord } from './server-record.js';

/** What a dev server is started with. */
export interface DevServerOptions {
  /** Path of the Temporal CLI. */
  readonly cli: string;
  /** Folder that keeps the database; this process holds its lock. */
  readonly home: string;
  /** All that the server finds in its environment. @default nothing */
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** @default 30 seconds */
  readonly startTimeoutMs?: number;
}

/** A Temporal dev server with its Web UI, on loopback, with a database that outlives it. */
export interface DevServer extends ServerRecord {
  readonly namespace: string;
  /** Resolves when the server has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Gives up this process's lease; returns when the server is gone, or kept by another command of the home. */
  stop(): Promise<void>;
}

const NAMESPACE = 'default';
const LAUNCHES = 3;

/**
 * Starts the dev server of a home and waits until it serves. A server that was left behind is ended first.
 * It lives until the last process that has a lease on the home has ended, be it killed.
 * @throws PrefetchError `ServerUnavailable` with the server's own last words
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const home = await realHome(options.home);
  const folder = join(home, 'temporal');
  const database = join(folder, 'temporal.db');
  const lease = await takeLease(home);
  try {
    await endLeftBehind(database);
    const launch = await launchServing({ ...options, home }, database);
    const server = describe(launch, lease);
    await recordServer(folder, server);
    return server;
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/** By its one real name, so that two spellings of a home are one home. */
async function realHome(home: string): Promise<string> {
  await mkdir(join(home, 'temporal'), { recursive: true, mode: 0o700 });
  return realpath(home);
}

/**
 * Servers and their supervisors: both have the database in their arguments. A supervisor may have been about to start
 * its server when it was found: so they are looked for once more.
 */
async function endLeftBehind(database: string): Promise<void> {
  for (let look = 0; look < 2; look += 1) {
    for (const pid of await findProcesses(['--db-filename', database])) await killProcess(pid);
  }
}

/** Someone else may take a port between our choice and the server's start: then other ports are tried. */
async function launchServing(options: DevServerOptions, database: string): Promise<ServerProcess> {
  const { cli, home, environment = {} } = options;
  for (let tries = 1; ; tries += 1) {
    options.signal?.throwIfAborted();
    const launch = await launchServer({ cli, home, database, environment });
    try {
      if (launch.pid === undefined) throw unavailable(`${cli} could not be started. ${await lastWords(launch.log)}`);
      await waitUntilServing(launch, options);
      return launch;
    } catch (error) {
      await launch.kill();
      if (tries < LAUNCHES && /address already in use/i.test(await logTail(launch.log))) continue;
      throw error;
    }
  }
}

/** The port answers first, the default namespace is made up to half a second later. */
async function waitUntilServing(launch: ServerProcess, options: DevServerOptions): Promise<void> {
  const deadline = Date.now() + (options.startTimeoutMs ?? 30_000);
  const serving = [() => acceptsConnections(launch.port), () => hasNamespace(launch.port)];
  for (const isServing of serving) {
    while (!(await isServing())) {
      options.signal?.throwIfAborted();
      if (launch.hasEnded()) {
        throw unavailable(`The embedded Temporal server ended at once. ${await lastWords(launch.log)}`);
      }
      if (Date.now() > deadline) {
        throw unavailable(`The embedded Temporal server does not answer. ${await lastWords(launch.log)}`);
      }
      await delay(25);
    }
  }
}

async function hasNamespace(port: number): Promise<boolean> {
  // gRPC would ask the proxy of the environment for this machine.
  const channelArgs = { 'grpc.enable_http_proxy': 0 };
  const connection = Connection.lazy({ address: `127.0.0.1:${String(port)}`, channelArgs });
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

function describe(launch: ServerProcess, lease: Lease): DevServer {
  return {
    address: `127.0.0.1:${String(launch.port)}`,
    namespace: NAMESPACE,
    uiUrl: `http://127.0.0.1:${String(launch.uiPort)}`,
    pid: launch.pid ?? 0,
    session: randomBytes(8).toString('hex'),
    ended: launch.ended,
    stop: async () => {
      await lease.release();
      await launch.leave();
    },
  };
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
