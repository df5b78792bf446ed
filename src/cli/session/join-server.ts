import { setTimeout as delay } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import { shareHome } from '../../embedded/home-lock.js';
import { isLeased, takeLease } from '../../embedded/leases.js';
import { processStart } from '../../embedded/processes.js';
import { readServer, type ServerRecord } from '../../embedded/server-record.js';
import type { Cleanup } from './cleanup.js';

/** A server that another command started. */
export interface JoinedServer {
  readonly connection: NativeConnection;
  readonly uiUrl: string;
  readonly session: string;
  /** Resolves when the server has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

const LOOK_MS = 1_000;
const CONNECT_MS = 10_000;
/** As long as the command that started a server waits for its end. */
const END_MS = 5_000;
const END_LOOK_MS = 20;

/** Joins the server of a home as one of the commands that share it; undefined when that server cannot be reached. */
export async function joinServer(
  { home, session, signal }: { readonly home: string; readonly session: string; readonly signal: AbortSignal },
  undo: Cleanup
): Promise<JoinedServer | undefined> {
  const server = await leasedServer(home, undo);
  if (server?.session !== session) return undefined;
  const lock = await shareHome(home, session, { signal });
  undo.add(() => lock.release());
  return connectTo(server, undo);
}

/** Joins the server of an earlier release, which shares its home with nobody, to look at it. */
export async function lookAtServer(home: string, undo: Cleanup): Promise<JoinedServer | undefined> {
  const server = await leasedServer(home, undo);
  return server === undefined ? undefined : connectTo(server, undo);
}

/** In this order: the server's supervisor takes the record away before it looks for leases the last time. */
async function leasedServer(home: string, undo: Cleanup): Promise<ServerRecord | undefined> {
  const lease = await takeLease(home);
  const server = { record: undefined as ServerRecord | undefined };
  undo.add(async () => {
    await lease.release();
    if (server.record !== undefined) await untilGoneOrKept(home, server.record);
  });
  server.record = await readServer(home);
  return server.record;
}

/** The record of a process that was killed names a server that is gone. */
async function connectTo(server: ServerRecord, undo: Cleanup): Promise<JoinedServer | undefined> {
  const start = await processStart(server.pid);
  if (start === undefined) return undefined;
  const connecting = NativeConnection.connect({ address: server.address });
  const late = delay(CONNECT_MS, undefined, { ref: false });
  const connection = await Promise.race([connecting, late]).catch(() => undefined);
  if (connection === undefined) {
    // It may still come up when nobody waits any more.
    connecting.then((each) => each.close()).catch(() => undefined);
    return undefined;
  }
  undo.add(() => connection.close());
  const over = new AbortController();
  undo.add(() => {
    over.abort();
    return Promise.resolve();
  });
  return {
    connection,
    uiUrl: server.uiUrl,
    session: server.session,
    ended: endOf({ pid: server.pid, start }, over.signal),
  };
}

/** Never resolves once nobody wants to know any more. */
async function endOf(
  { pid, start }: { readonly pid: number; readonly start: string },
  over: AbortSignal
): Promise<void> {
  while (!over.aborted) {
    if ((await processStart(pid)) !== start) return;
    await delay(LOOK_MS, undefined, { signal: over, ref: false }).catch(() => undefined);
  }
  await new Promise(() => undefined);
}

/** The command that goes last leaves nothing behind. */
async function untilGoneOrKept(home: string, { pid }: ServerRecord): Promise<void> {
  const deadline = Date.now() + END_MS;
  while (Date.now() < deadline && (await processStart(pid)) !== undefined && !(await isLeased(home))) {
    await delay(END_LOOK_MS);
  }
}
