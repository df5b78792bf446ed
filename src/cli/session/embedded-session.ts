import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { decidingSettings } from '../../config/deciding-settings.js';
import { PrefetchError } from '../../core/errors.js';
import { ROLES } from '../../core/queues.js';
import { digestSettings } from '../../embedded/run-claims.js';
import { readSealKey, sealForClient, sealForWorker, type SealKey } from '../../embedded/seal.js';
import { createWorkers } from '../../worker.js';
import { Cleanup } from './cleanup.js';
import { openHomeServer, type HomeServer, type HomeServerOptions } from './home-server.js';
import { refuseForeign } from './refuse-foreign.js';
import { neverBroken, type Session } from './session.js';
import { sharedRuns } from './shared-runs.js';

const STOP_WORKERS_MS = 8_000;
const RELEASE = 'the release of this package';

/** What the server and the worker on this machine are started with; without workers it is for looking at what was. */
export interface EmbeddedOptions extends HomeServerOptions {
  /** vLLM of this machine may be needed: the queue of these GPUs, MODEL:COUNT, or of any, is served too. */
  readonly vllm?: { readonly gpu?: string };
  /** Release of this package: another one may bring the same model in another way. */
  readonly version: string;
}

/** Starts all that a prefetch needs in this process and one child, or beside the commands that the home has already. */
export async function openEmbeddedSession(options: EmbeddedOptions): Promise<Session> {
  const cleanup = new Cleanup();
  try {
    const server = await openHomeServer(options, cleanup);
    options.signal.throwIfAborted();
    if (options.withWorkers) options.say(greeting(server));
    const { connection, session, taskQueue } = server;
    const { home } = options.settings;
    const seal = { key: await readSealKey(home), session };
    const sealed = options.withWorkers ? 'now' : 'ever';
    const client = new Client({ connection, dataConverter: sealForClient(seal, { sealed }) });
    // Nobody takes a run over while the worker of this command still ends.
    const claims = new Cleanup();
    cleanup.add(() => claims.run());
    const settings = { ...options.settings, taskQueue };
    const workers = options.withWorkers
      ? await startWorkers({ ...options, settings, connection, seal }, cleanup)
      : { broken: neverBroken };
    const settingsFor = async (input: Parameters<typeof decidingSettings>[1]) =>
      digestSettings(seal.key, { ...(await decidingSettings(settings, input)), [RELEASE]: options.version });
    return {
      kind: 'embedded',
      client,
      prefetches: sharedRuns({ ...options, home, client, taskQueue, settingsFor }, claims),
      taskQueue,
      broken: handled(Promise.race([workers.broken, serverLoss(server)])),
      close: () => cleanup.run(),
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

function greeting({ uiUrl, beside }: HomeServer): string {
  const where = beside === undefined ? '' : `, beside the process ${String(beside)}`;
  return `Embedded, for no Temporal cluster is configured${where}: waits for the result\nWeb UI meanwhile: ${uiUrl}`;
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

function serverLoss(server: HomeServer): Promise<never> {
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
