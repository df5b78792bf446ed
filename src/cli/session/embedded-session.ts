import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { PrefetchClient } from '../../client.js';
import { serverEnvironment, type Settings } from '../../config/environment.js';
import { PrefetchError } from '../../core/errors.js';
import { ROLES } from '../../core/queues.js';
import { startDevServer, type DevServer } from '../../embedded/dev-server.js';
import { lockHome } from '../../embedded/home-lock.js';
import { makePrivateHome } from '../../embedded/private-home.js';
import { readSealKey, sealForClient, sealForWorker, type SealKey } from '../../embedded/seal.js';
import { findTemporalCli } from '../../embedded/temporal-cli.js';
import { createWorkers } from '../../worker.js';
import { Cleanup } from './cleanup.js';
import { terminateOpenRuns } from './open-runs.js';
import { quietRuntime } from './quiet-runtime.js';
import { refuseForeign } from './refuse-foreign.js';
import { neverBroken, type Session } from './session.js';

const STOP_WORKERS_MS = 8_000;

/** What the server and the worker on this machine are started with. */
export interface EmbeddedOptions {
  readonly settings: Settings;
  readonly verbose: boolean;
  /** Without workers nothing runs: good for looking at what was. */
  readonly withWorkers: boolean;
  /** vLLM of this machine may be needed: the queue of these GPUs, MODEL:COUNT, or of any, is served too. */
  readonly vllm?: { readonly gpu?: string };
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Starts all that a prefetch needs in this process and one child: the home's lock, a Temporal server, workers. */
export async function openEmbeddedSession(options: EmbeddedOptions): Promise<Session> {
  const cleanup = new Cleanup();
  try {
    const server = await openServer(options, cleanup);
    options.signal.throwIfAborted();
    quietRuntime(options);
    if (options.withWorkers)
      options.say(
        `Embedded, for no Temporal cluster is configured: waits for the result (Web UI meanwhile: ${server.uiUrl})`
      );
    const connection = await NativeConnection.connect({ address: server.address });
    cleanup.add(() => connection.close());
    const { namespace, session } = server;
    // Whatever is open now was left by a process that died: nobody works on it. A stranger's may be among them, so
    // this client reads no seals.
    await terminateOpenRuns(new Client({ connection, namespace }), 'The process that worked on it ended');
    const seal = { key: await readSealKey(options.settings.home), session };
    const sealed = options.withWorkers ? 'now' : 'ever';
    const client = new Client({ connection, namespace, dataConverter: sealForClient(seal, { sealed }) });
    const workers = options.withWorkers
      ? await startWorkers({ ...options, connection, seal }, cleanup)
      : { broken: neverBroken };
    return {
      kind: 'embedded',
      client,
      prefetches: new PrefetchClient({ client, taskQueue: options.settings.taskQueue }),
      taskQueue: options.settings.taskQueue,
      hasWorkers: options.withWorkers,
      broken: handled(Promise.race([workers.broken, serverLoss(server)])),
      close: () => cleanup.run(),
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function openServer({ settings, signal, say }: EmbeddedOptions, cleanup: Cleanup): Promise<DevServer> {
  const { home, cacheFolder, searchPath, temporalCliPath: cliPath } = settings;
  await makePrivateHome(home);
  const lock = await lockHome(home, { signal });
  cleanup.add(() => lock.release());
  const cli = await findTemporalCli({ cliPath, searchPath, cacheFolder, onStep: say, signal });
  const server = await startDevServer({ cli, home, environment: serverEnvironment(), signal });
  cleanup.add(() => server.stop());
  return server;
}

type WorkerNeeds = Pick<EmbeddedOptions, 'settings' | 'vllm'> & {
  readonly connection: NativeConnection;
  readonly seal: SealKey;
};

/** Starts the workers; `broken` rejects when they end without being told to. */
async function startWorkers(
  { settings, connection, vllm, seal }: WorkerNeeds,
  cleanup: Cleanup
): Promise<{ readonly broken: Promise<never> }> {
  const roles = ROLES.filter((role) => role !== 'gpu' || vllm !== undefined);
  const guard = { dataConverter: sealForWorker(seal), interceptors: { activity: [refuseForeign] } };
  const workers = await createWorkers({ settings, connection, embedded: true, roles, guard, ...vllm });
  const ended = workers.run();
  cleanup.add(async () => {
    workers.shutdown();
    // One that does not stop in time is cut off with the process; what it had stored stays.
    await Promise.race([ended.catch(() => undefined), delay(STOP_WORKERS_MS, undefined, { ref: false })]);
  });
  const broken = ended.then<never>(() => {
    throw new PrefetchError('Internal', 'The worker in this process ended by itself');
  });
  return { broken: handled(broken) };
}

function serverLoss(server: DevServer): Promise<never> {
  return handled(
    server.ended.then<never>(() => {
      throw new PrefetchError('ServerUnavailable', 'The embedded Temporal server ended. Run the same command again');
    })
  );
}

/** Nobody may be listening when it rejects, as at the orderly end. */
function handled(promise: Promise<never>): Promise<never> {
  promise.catch(() => undefined);
  return promise;
}
