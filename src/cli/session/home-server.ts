import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { serverEnvironment, type Settings } from '../../config/environment.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { startDevServer } from '../../embedded/dev-server.js';
import { throughGate } from '../../embedded/gate.js';
import { homeHolders, lockHome } from '../../embedded/home-lock.js';
import { makePrivateHome } from '../../embedded/private-home.js';
import { sessionOfCommand } from '../../embedded/seal.js';
import { findTemporalCli } from '../../embedded/temporal-cli.js';
import { Cleanup } from './cleanup.js';
import { joinServer, lookAtServer } from './join-server.js';
import { terminateOpenRuns } from './open-runs.js';
import { quietRuntime } from './quiet-runtime.js';

/** The embedded server of a home, as one of its commands has it. */
export interface HomeServer {
  readonly connection: NativeConnection;
  readonly uiUrl: string;
  /** What this command seals with. */
  readonly session: string;
  /** Base of the queues that the worker of this command serves, and no other worker. */
  readonly taskQueue: string;
  /** Another process that works in the home, where the server was there already. */
  readonly beside: number | undefined;
  /** Resolves when the server has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

/** How a server is started or joined. */
export interface HomeServerOptions {
  readonly settings: Settings;
  readonly verbose: boolean;
  /** Whether it is for work: who looks alone may do so beside a command of an earlier release too. */
  readonly withWorkers: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** The others of a home end, and their server with them: for that long it is worth asking again. */
const CHANGING_MS = 15_000;
const AGAIN_MS = 100;

/**
 * Joins the embedded server that runs in the home, or starts it; what has to be undone goes into the clean-up.
 * @throws PrefetchError `HomeBusy` where a command of an earlier release has the home
 */
export async function openHomeServer(options: HomeServerOptions, cleanup: Cleanup): Promise<HomeServer> {
  const { settings, signal, say } = options;
  await makePrivateHome(settings.home);
  quietRuntime(options);
  const onWait = (pid: number) => {
    say(`Waiting for the process ${String(pid)}, which starts the embedded server`);
  };
  const deadline = Date.now() + CHANGING_MS;
  for (;;) {
    const server = await throughGate(settings.home, () => joinOrStart(options, cleanup, deadline), { signal, onWait });
    if (server !== undefined) return server;
    await delay(AGAIN_MS);
  }
}

/** Undefined where it is worth asking again. What it did by then is undone. */
async function joinOrStart(
  options: HomeServerOptions,
  cleanup: Cleanup,
  deadline: number
): Promise<HomeServer | undefined> {
  const { home } = options.settings;
  const [holder] = await homeHolders(home);
  const undo = new Cleanup();
  try {
    const server = await (holder === undefined ? start(options, undo) : join(options, holder, undo));
    if (server !== undefined) cleanup.add(() => undo.run());
    else if (Date.now() > deadline) throw unreachable(home, holder?.pid ?? 0);
    else await undo.run();
    return server;
  } catch (error) {
    await undo.run();
    if (!options.withWorkers && isPrefetchError(error, 'HomeBusy') && Date.now() < deadline) return undefined;
    throw error;
  }
}

async function join(
  { settings, withWorkers, signal }: HomeServerOptions,
  { pid, session }: { readonly pid: number; readonly session: string | undefined },
  undo: Cleanup
): Promise<HomeServer | undefined> {
  const { home } = settings;
  if (session === undefined) {
    // To be told which process it is.
    if (withWorkers) await lockHome(home, { signal }).then((lock) => lock.release());
    const found = withWorkers ? undefined : await lookAtServer(home, undo);
    return found && { ...found, taskQueue: settings.taskQueue, beside: pid };
  }
  const joined = await joinServer({ home, session, signal }, undo);
  if (joined === undefined) return undefined;
  const command = randomBytes(4).toString('hex');
  const own = { session: sessionOfCommand(session, command), taskQueue: `${settings.taskQueue}-${command}` };
  return { ...joined, ...own, beside: pid };
}

async function start({ settings, signal, say }: HomeServerOptions, undo: Cleanup): Promise<HomeServer> {
  const { home, cacheFolder, searchPath, temporalCliPath: cliPath, taskQueue } = settings;
  const lock = await lockHome(home, { signal });
  undo.add(() => lock.release());
  const cli = await findTemporalCli({ cliPath, searchPath, cacheFolder, onStep: say, signal });
  const server = await startDevServer({ cli, home, environment: serverEnvironment(), signal });
  undo.add(() => server.stop());
  signal.throwIfAborted();
  const { address, namespace, session, uiUrl, ended } = server;
  const connection = await NativeConnection.connect({ address });
  undo.add(() => connection.close());
  // Whatever is open now was left by a process that died: nobody works on it. A stranger's may be among them, so
  // this client reads no seals.
  await terminateOpenRuns(new Client({ connection, namespace }), 'The process that worked on it ended');
  await lock.share(session);
  return { connection, uiUrl, session, taskQueue, beside: undefined, ended };
}

function unreachable(home: string, pid: number): PrefetchError {
  return new PrefetchError(
    'HomeBusy',
    `The process ${String(pid)} works in ${home}, and the embedded server there cannot be reached. Wait for that ` +
      'process to end, or end it, and run the same command again',
    { details: { pid, home } }
  );
}
