import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrefetchClient, type PrefetchHandle } from '../../src/client.js';
import type { Dir } from '../../src/core/contract.js';
import { manifestSchema } from '../../src/core/schemas/manifest.js';
import type { BodyChunks } from '../../src/dev-hub/index.js';
import { startWorkerProcess } from '../helpers/cli.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { temporalCli, type TemporalCli } from '../helpers/temporal-cli.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';

const MiB = 1024 * 1024;
const WEIGHT_BYTES = 40 * MiB;
/** Enough to be on the way for as long as a process takes to start. */
const LONG_BYTES = 160 * MiB;
const PART_BYTES = 5 * MiB;
const LANES = 1;
/** Parts that are fetched, and those that wait to be stored: as many as there is memory for. */
const MEMORY_BYTES = 2 * LANES * PART_BYTES;
/** And what lay in the buffers of connections. */
const IN_FLIGHT_BYTES = MEMORY_BYTES + 2 * MiB;
/** Their enum is in a package that is no dependency of ours. */
const PAUSED: number = 4;

const server = useTemporalServer();
let platform: Platform;
let cli: TemporalCli;
/** What a connection waits for each 64 KiB, in milliseconds; undefined for nothing. */
let pauseMs: number | undefined;

beforeAll(async () => {
  platform = await startPlatform(server(), {
    repos: ['pause', 'reset', 'workflow-reset', 'terminate', 'hand-over'].map((name) => {
      const size = name === 'hand-over' ? LONG_BYTES : WEIGHT_BYTES;
      return { id: `org/${name}`, commits: [{ files: { 'model.safetensors': { size, seed: name } } }] };
    }),
    intercept: ({ origin }) => (pauseMs !== undefined && origin === 'cdn' ? { body: paced } : undefined),
    settings: { partSizeBytes: PART_BYTES, lanes: LANES, memoryBytes: MEMORY_BYTES },
  });
  cli = temporalCli(server().address);
});

afterAll(() => platform.stop());

describe('loses at most the parts in flight:', { timeout: 60_000 }, () => {
  test('temporal activity pause, after which nothing moves, and unpause', async () => {
    const repo = 'org/pause';
    const handle = await halfWay(repo);
    await verb('activity', 'pause', handle, '--activity-id', 'batch-0');
    await inPending(handle, ({ state }) => Number(state) === PAUSED);
    const before = cdnBytes(repo);
    pauseMs = undefined;
    expect((await handle.progress()).bytesDone).toBeLessThan(WEIGHT_BYTES);
    expect(cdnBytes(repo)).toBe(before);
    await verb('activity', 'unpause', handle, '--activity-id', 'batch-0');
    await expectRightDir(await handle.result(), repo);
  });

  test('temporal activity reset', async () => {
    const repo = 'org/reset';
    const handle = await halfWay(repo);
    await verb('activity', 'reset', handle, '--activity-id', 'batch-0');
    await inPending(handle, ({ lastFailure }) => lastFailure?.message === 'Activity reset');
    pauseMs = undefined;
    await expectRightDir(await handle.result(), repo);
  });

  test('temporal workflow reset, while the activity of the run before still works', async () => {
    const repo = 'org/workflow-reset';
    const handle = await halfWay(repo);
    await verb('workflow', 'reset', handle, '--type', 'FirstWorkflowTask', '--reason', 'test');
    pauseMs = undefined;
    await expectRightDir(await handle.result(), repo);
  });

  test('temporal workflow terminate, and the same start at once', async () => {
    const repo = 'org/terminate';
    const handle = await halfWay(repo);
    await verb('workflow', 'terminate', handle, '--reason', 'test');
    await expect(handle.result()).rejects.toThrow(/^Cancelled: /);
    const again = await platform.client.start({ repo });
    pauseMs = undefined;
    await expectRightDir(await again.result(), repo);
  });
});

test(
  'a worker that is told to stop hands over at once to one that polls, and nothing is fetched twice',
  { timeout: 60_000 },
  async () => {
    const taskQueue = 'hand-over';
    const env = {
      TEMPORAL_ADDRESS: server().address,
      HF_ENDPOINT: platform.hub.url,
      MODEL_PREFETCH_STORE: pathToFileURL(await tmpFolder()).href,
      MODEL_PREFETCH_SHARED_FILES: 'true',
      MODEL_PREFETCH_TASK_QUEUE: taskQueue,
      MODEL_PREFETCH_PART_SIZE: '5MiB',
      MODEL_PREFETCH_LANES: String(LANES),
    };
    const first = await startWorkerProcess(env);
    const repo = 'org/hand-over';
    const handle = await halfWay(repo, new PrefetchClient({ client: server().client, taskQueue }));
    const second = await startWorkerProcess(env);
    try {
      // A part takes a second now, which is well within the grace.
      pauseMs = 12;
      first.child.kill('SIGTERM');
      await inPending(handle, ({ attempt }) => (attempt ?? 1) > 1);
      expect(cdnBytes(repo)).toBeLessThan(LONG_BYTES);
      pauseMs = undefined;
      await expectRightDir(await handle.result(), repo);
      expect(cdnBytes(repo)).toBe(LONG_BYTES);
      expect((await first.ended).code).toBe(0);
    } finally {
      for (const worker of [first, second]) {
        if (worker.child.exitCode === null && worker.child.signalCode === null) worker.killGroup();
        await worker.ended;
      }
    }
  }
);

/** A run of which a part is there, and whose CDN is slow. */
async function halfWay(repo: string, client = platform.client): Promise<PrefetchHandle> {
  pauseMs = 12;
  const handle = await client.start({ repo });
  while (cdnBytes(repo) < 0.4 * WEIGHT_BYTES) await delay(20);
  return handle;
}

async function verb(of: string, name: string, { workflowId }: PrefetchHandle, ...flags: string[]): Promise<void> {
  const { code, stdout, stderr } = await cli.run([of, name, '--workflow-id', workflowId, ...flags]);
  expect(code, stdout + stderr).toBe(0);
}

type Pending = NonNullable<
  Awaited<ReturnType<ReturnType<typeof handleOf>['describe']>>['raw']['pendingActivities']
>[number];

function handleOf(workflowId: string) {
  return server().client.workflow.getHandle(workflowId);
}

/** Waits until the server says so of an activity of the run. */
async function inPending({ workflowId }: PrefetchHandle, holds: (pending: Pending) => boolean): Promise<void> {
  for (;;) {
    const { raw, status } = await handleOf(workflowId).describe();
    if ((raw.pendingActivities ?? []).some(holds)) return;
    expect(status.name).toBe('RUNNING');
    await delay(20);
  }
}

/** About 5 MiB/s: slower than a verb takes to be heard of, which is a heartbeat. */
async function* paced(chunks: BodyChunks): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += 64 * 1024) {
      if (pauseMs !== undefined) await delay(pauseMs);
      yield chunk.subarray(start, start + 64 * 1024);
    }
  }
}

function cdnBytes(repo: string): number {
  const sent = platform.hub.requests.filter(({ origin, path }) => origin === 'cdn' && path.includes(repo));
  return sent.reduce((total, { bytesSent }) => total + bytesSent, 0);
}

async function expectRightDir(dir: Dir, repo: string): Promise<void> {
  const read = (path: string) => readFile(join(fileURLToPath(dir.path), path));
  const { files } = manifestSchema.parse(JSON.parse(String(await read('.prefetch/manifest.json'))));
  expect(files).toHaveLength(1);
  for (const { path, sha256 } of files) {
    expect(
      createHash('sha256')
        .update(await read(path))
        .digest('hex')
    ).toBe(sha256);
  }
  const sent = cdnBytes(repo);
  expect(sent).toBeGreaterThanOrEqual(dir.totalBytes);
  expect(sent).toBeLessThanOrEqual(dir.totalBytes + IN_FLIGHT_BYTES);
}
