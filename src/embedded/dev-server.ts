import { randomBytes } from 'node:crypto';
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { PrefetchError } from '../core/errors.js';
import { shortened } from '../core/foreign-text.js';
import { unlessAborted } from '../tasks/unless-aborted.js';
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
  /** For one try; no other one begins after twice as long. @default 30 seconds */
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
const LAUNCHES = 8;
const START_MS = 30_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;
const HEAD_LINES = 6;
const TAIL_LINES = 6;
const LINE_BYTES = 300;

/**
 * Starts the dev server of a home and waits until it serves. A server that was left behind is ended first.
 * It lives until the last process that has a lease on the home has ended, be it killed.
 * @throws PrefetchError `ServerUnavailable` with the server's own first and last words
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

/**
 * A server may end at its start for what passes: somebody took a port between our choice and its start, or the Temporal
 * CLI found none for itself. So any early end is answered with fresh ports, but for one that is not going to get better.
 */
async function launchServing(options: DevServerOptions, database: string): Promise<ServerProcess> {
  const { cli, home, environment = {}, signal } = options;
  const timeoutMs = options.startTimeoutMs ?? START_MS;
  const lastTry = Date.now() + 2 * timeoutMs;
  for (let tries = 1; ; tries += 1) {
    signal?.throwIfAborted();
    const launch = await launchServer({ cli, home, database, environment });
    try {
      const state = await waitUntilServing(launch, { deadline: Date.now() + timeoutMs, signal });
      if (state === 'serving') return launch;
      const said = await readLog(launch.log);
      const isOver = state === 'silent' || tries === LAUNCHES || Date.now() > lastTry;
      if (isOver || isHopeless(said)) throw unavailable({ cli, state, tries, log: launch.log, said });
      await launch.kill();
    } catch (error) {
      await launch.kill();
      throw error;
    }
    await unlessAborted(delay(Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS)), { signal });
  }
}

/** No file of that name, or none that runs; a flag that it does not know; a database that it cannot read or write. */
function isHopeless(said: string): boolean {
  return (
    /spawn .*(?:ENOENT|EACCES|ENOEXEC|ENOTDIR|EPERM|ELOOP)|exec format error|bad interpreter/i.test(said) ||
    /unknown (?:flag|shorthand|command)|not a database|malformed|unable to open database file/i.test(said) ||
    /is a directory|readonly database|permission denied|database or disk is full|no space left/i.test(said)
  );
}

/** The port answers first, the default namespace is made up to half a second later. */
async function waitUntilServing(
  launch: ServerProcess,
  { deadline, signal }: { readonly deadline: number; readonly signal: AbortSignal | undefined }
): Promise<'serving' | 'ended' | 'silent'> {
  const serving = [() => acceptsConnections(launch.port), () => hasNamespace(launch.port)];
  for (const isServing of serving) {
    while (!(await isServing())) {
      signal?.throwIfAborted();
      // A server that could not be started has no PID.
      if (launch.hasEnded() || launch.pid === undefined) return 'ended';
      if (Date.now() > deadline) return 'silent';
      await delay(25);
    }
  }
  return launch.pid === undefined ? 'ended' : 'serving';
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

interface Failed {
  readonly cli: string;
  readonly state: 'ended' | 'silent';
  readonly tries: number;
  readonly log: string;
  readonly said: string;
}

function unavailable({ cli, state, tries, log, said }: Failed): PrefetchError {
  const what = state === 'silent' ? 'does not answer' : 'ended at once';
  const often = tries > 1 ? `, ${String(tries)} times, each with ports of its own` : '';
  const words = said === '' ? `It said nothing in ${log}` : `It said (${log}):\n${headAndTail(said)}`;
  return new PrefetchError('ServerUnavailable', `The embedded Temporal server (${cli}) ${what}${often}. ${words}`);
}

async function readLog(log: string): Promise<string> {
  return (await readFile(log, 'utf8').catch(() => '')).trim();
}

/** A server that breaks down says why first, and where last; between them is the stack. */
function headAndTail(text: string): string {
  const lines = text.split('\n').map((line) => shortened(line, LINE_BYTES));
  if (lines.length <= HEAD_LINES + TAIL_LINES) return lines.join('\n');
  const left = `… (${String(lines.length - HEAD_LINES - TAIL_LINES)} lines)`;
  return [...lines.slice(0, HEAD_LINES), left, ...lines.slice(-TAIL_LINES)].join('\n');
}
