import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startReader, type Reader } from '../reader/reader.js';
import { storeBenches, type StoreBenches } from './store-bench.js';
import { startTemporalServer, temporalCli, type TemporalServer } from './temporal-server.js';

/** What outlives a round: servers, the reader, and a folder. */
export interface World {
  readonly folder: string;
  readonly stores: StoreBenches;
  readonly reader: Reader;
  /** Started when a round first asks for it. */
  readonly temporal: () => Promise<TemporalServer>;
  /** For every process, with nothing of this user's own configuration. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly end: () => Promise<void>;
}

export async function makeWorld(): Promise<World> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'model-prefetch-torture-'));
  const reader = startReader();
  const stores = storeBenches();
  let temporal: Promise<TemporalServer> | undefined;
  const { PATH, TMPDIR } = process.env;
  return {
    folder,
    stores,
    reader,
    temporal: () => (temporal ??= startTemporalServer(folder)),
    env: { PATH, TMPDIR, TEMPORAL_CLI_PATH: await temporalCli() },
    end: async () => {
      reader.stop();
      await (await temporal)?.stop();
      await stores.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}
