import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrefetchClient } from '../../src/client.js';
import { readSettings, type Settings } from '../../src/config/environment.js';
import type { Role } from '../../src/core/queues.js';
import { startDevHub, type BodyChunks, type DevHub } from '../../src/dev-hub/index.js';
import { createWorkers } from '../../src/worker.js';
import { until } from '../helpers/local-server.js';
import { smallRepo } from '../helpers/models.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';

/** Longer than any test, so that whoever sits it out fails by its time-out. */
const GRACE_MS = 600_000;
const WEIGHT_BYTES = 80_000_001;
/** What the CDN waits for each 64 KiB: so that a part takes a second or two, and so that the model outlasts the test. */
const SLOW_MS = 10;
const ENDLESS_MS = 400;

const server = useTemporalServer();
let hub: DevHub;
let pauseMs: number | undefined;

beforeAll(async () => {
  hub = await startDevHub({
    repos: ['org/parts', 'org/waiter'].map((id) => smallRepo(id, { weightBytes: WEIGHT_BYTES })),
    intercept: ({ origin }) => (pauseMs !== undefined && origin === 'cdn' ? { body: paced } : undefined),
  });
});

afterAll(() => hub.close());

describe('workers that are told to shut down, with all the time in the world', { timeout: 120_000 }, () => {
  test('give a batch to the next ones when the parts in flight have landed, and nothing is fetched twice', async () => {
    const settings = await settingsOf('parts');
    pauseMs = SLOW_MS;
    const first = await startWorkers(settings);
    const handle = await clientOf(settings).start({ repo: 'org/parts' });
    await until(() => weightBytesOf('org/parts') > 0, 'the first bytes', 30_000);
    await first.stop();
    expect(weightBytesOf('org/parts')).toBeLessThan(WEIGHT_BYTES);
    pauseMs = undefined;
    const second = await startWorkers(settings);
    expect(await handle.result()).toMatchObject({ repo: 'org/parts' });
    expect(weightBytesOf('org/parts')).toBe(WEIGHT_BYTES);
    await second.stop();
  });

  test('give a waiter to the next ones at once', async () => {
    const settings = await settingsOf('waiter');
    pauseMs = ENDLESS_MS;
    const waits = await startWorkers(settings, ['wait']);
    const works = await startWorkers(settings, ['main', 'transfer']);
    const { taskQueue } = settings;
    const caller = await Worker.create({
      connection: server().nativeConnection,
      taskQueue: `${taskQueue}-caller`,
      workflowsPath: fileURLToPath(new URL('../e2e/fixtures/own-queue-workflows.ts', import.meta.url)),
    });
    await caller.runUntil(async () => {
      const handle = await server().client.workflow.start('waitForModel', {
        taskQueue: `${taskQueue}-caller`,
        workflowId: `${taskQueue}-caller`,
        args: ['org/waiter', taskQueue],
      });
      await until(() => weightBytesOf('org/waiter') > 0, 'the first bytes', 30_000);
      await waits.stop();
      pauseMs = undefined;
      const next = await startWorkers(settings, ['wait']);
      expect(await handle.result()).toMatchObject({ repo: 'org/waiter' });
      await next.stop();
    });
    await works.stop();
  });
});

async function settingsOf(name: string): Promise<Settings> {
  const home = await tmpFolder();
  return {
    ...readSettings({ HOME: home, HF_ENDPOINT: hub.url, MODEL_PREFETCH_STORE: pathToFileURL(home).href }),
    fileStoreIsShared: true,
    taskQueue: `hand-over-${name}-${String(process.hrtime.bigint())}`,
    lanes: 2,
  };
}

async function startWorkers(settings: Settings, roles?: readonly Role[]): Promise<{ stop(): Promise<void> }> {
  const workers = await createWorkers({
    connection: server().nativeConnection,
    settings,
    ...(roles === undefined ? {} : { roles }),
    shutdownGraceMs: GRACE_MS,
  });
  const running = workers.run();
  return {
    stop: () => {
      workers.shutdown();
      return running;
    },
  };
}

function clientOf({ taskQueue }: Settings): PrefetchClient {
  return new PrefetchClient({ client: server().client, taskQueue });
}

async function* paced(chunks: BodyChunks): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += 64 * 1024) {
      if (pauseMs !== undefined) await delay(pauseMs);
      yield chunk.subarray(start, start + 64 * 1024);
    }
  }
}

function weightBytesOf(repo: string): number {
  return hub.requests
    .filter(({ origin, path }) => origin === 'cdn' && path.includes(repo) && path.endsWith('model.safetensors'))
    .reduce((total, { bytesSent }) => total + bytesSent, 0);
}
