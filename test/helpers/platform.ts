import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { PrefetchClient } from '../../src/client.js';
import { readSettings, type Settings } from '../../src/config/environment.js';
import type { Dir, PrefetchInput } from '../../src/core/contract.js';
import { startDevHub, type DevHub, type DevHubOptions } from '../../src/dev-hub/index.js';
import { createWorkers } from '../../src/worker.js';
import { createTmpFolder, removeFolder } from './tmp.js';

export interface Platform {
  readonly hub: DevHub;
  readonly client: PrefetchClient;
  readonly settings: Settings;
  /** Folder of the default store. */
  readonly folder: string;
  /** Starts a prefetch and waits for its Dir. */
  prefetch(input: PrefetchInput): Promise<Dir>;
  stop(): Promise<void>;
}

export interface PlatformOptions extends Partial<DevHubOptions> {
  readonly settings?: Partial<Settings>;
  readonly taskQueue?: string;
}

/** A dev Hub, the real workers of this package and a client, on a Temporal server that is there. */
export async function startPlatform(
  server: TestWorkflowEnvironment,
  { settings: overrides, taskQueue, ...hubOptions }: PlatformOptions
): Promise<Platform> {
  const home = await createTmpFolder();
  const hub = await startDevHub({ repos: [], ...hubOptions });
  const folder = join(home, 'store');
  const settings: Settings = {
    ...readSettings({ HOME: home, HF_ENDPOINT: hub.url, MODEL_PREFETCH_STORE: pathToFileURL(folder).href }),
    secretsFolders: [join(home, 'secrets')],
    taskQueue: taskQueue ?? `prefetch-${String(process.hrtime.bigint())}`,
    ...overrides,
  };
  const workers = await createWorkers({ connection: server.nativeConnection, settings, embedded: true });
  const running = workers.run();
  const client = new PrefetchClient({ client: server.client, taskQueue: settings.taskQueue });
  return {
    hub,
    client,
    settings,
    folder,
    prefetch: async (input) => (await client.start(input)).result(),
    stop: async () => {
      workers.shutdown();
      await running;
      await hub.close();
      await removeFolder(home);
    },
  };
}
