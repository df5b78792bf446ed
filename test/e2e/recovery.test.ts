import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrefetchClient } from '../../src/client.js';
import type { Dir } from '../../src/core/contract.js';
import { isPrefetchError } from '../../src/core/errors.js';
import { manifestSchema } from '../../src/core/schemas/manifest.js';
import { startDevHub, type BodyChunks, type DevHub, type DevRepo } from '../../src/dev-hub/index.js';
import { openStore } from '../../src/storage/index.js';
import { startWorkerProcess, type CliRun } from '../helpers/cli.js';
import {
  connectionReset,
  expiredUrl,
  flippedBit,
  hubFaults,
  ignoredRange,
  meanwhile,
  rateLimited,
  serverError,
  silent,
  stalled,
  truncated,
  type FaultTarget,
  type NamedFault,
} from '../helpers/hub-faults.js';
import { until } from '../helpers/local-server.js';
import { smallModel, smallRepo } from '../helpers/models.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { describeWithRclone, startRcloneS3 } from '../helpers/s3-servers.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { createTmpFolder, removeFolder, tmpFolder } from '../helpers/tmp.js';

const MiB = 1024 * 1024;
const WEIGHT_BYTES = 64 * MiB;
const WEIGHTS = 'model.safetensors';
const toWeights: FaultTarget = { origin: 'cdn', path: WEIGHTS };

const server = useTemporalServer();

// Side by side, for each of them waits for a time-out.
describe.concurrent('what takes its time to be noticed', { timeout: 240_000 }, () => {
  test('a worker process that is killed leaves its run to the next one, which goes on where it was', async () => {
    const { hub, env, client, pace, close } = await site([smallRepo('org/killed', { weightBytes: WEIGHT_BYTES })]);
    try {
      pace.isSlow = true;
      const handle = await client.start({ repo: 'org/killed' });
      const runId = await runIdOf(handle.workflowId);
      await withWorker(env, async (first) => {
        await until(() => cdnBytes(hub) > 0.6 * WEIGHT_BYTES, 'most of the bytes', 60_000);
        first.killGroup();
        await first.ended;
      });
      pace.isSlow = false;
      const before = cdnBytes(hub);
      // The server gives a batch to another worker when it has heard nothing of it for 20 s.
      await withWorker(env, async () => {
        await expectRightDir(await handle.result());
      });
      expect(await runIdOf(handle.workflowId)).toBe(runId);
      expect(cdnBytes(hub) - before).toBeLessThan(0.7 * WEIGHT_BYTES);
    } finally {
      await close();
    }
  });

  test('a worker process that is told to stop hands its batch back, and the next one takes it at once', async () => {
    const { hub, env, client, pace, close } = await site([smallRepo('org/stopped', { weightBytes: WEIGHT_BYTES })]);
    try {
      pace.isSlow = true;
      const handle = await client.start({ repo: 'org/stopped' });
      await withWorker(env, async (first) => {
        await until(() => cdnBytes(hub) > 0.3 * WEIGHT_BYTES, 'a third of the bytes', 60_000);
        pace.isStopped = true;
        first.child.kill('SIGTERM');
        expect((await first.ended).code).toBe(0);
      });
      pace.isSlow = false;
      pace.isStopped = false;
      await withWorker(env, async () => {
        await expectRightDir(await handle.result());
      });
      const failures = await activityFailures(handle.workflowId);
      expect(failures).not.toEqual([]);
      expect(failures).not.toContain('timeout');
    } finally {
      await close();
    }
  });

  test('a body that stalls and a head that never comes end in a right Dir', async () => {
    const faults = hubFaults();
    const platform = await startPlatform(server(), { repos: [smallRepo('org/stalled')], intercept: faults.intercept });
    try {
      const stall = faults.inject(stalled(200_000), toWeights);
      const silence = faults.inject(silent(), toWeights);
      await expectRightDir(await platform.prefetch({ repo: 'org/stalled' }));
      expect([stall.hits, silence.hits]).toEqual([1, 1]);
    } finally {
      await platform.stop();
    }
  });

  test('a rate limit that lasts is waited for by the server, as long as the Hub says', async () => {
    const faults = hubFaults();
    const platform = await startPlatform(server(), { repos: [smallRepo('org/limited')], intercept: faults.intercept });
    try {
      const limit = faults.inject(rateLimited(20), { origin: 'hub', path: '/resolve/', first: 1 });
      const handle = await platform.client.start({ repo: 'org/limited' });
      await expectRightDir(await handle.result());
      expect(limit.hits).toBe(1);
      expect(await activityFailures(handle.workflowId)).toEqual([expect.stringMatching(/^RateLimited: /)]);
    } finally {
      await platform.stop();
    }
  });
});

describe('faults on the way', () => {
  const faults = hubFaults();
  let platform: Platform;

  beforeAll(async () => {
    platform = await startPlatform(server(), {
      repos: [smallRepo('org/model'), { id: 'org/moving', commits: [smallModel(), smallModel({ seed: 'other' })] }],
      intercept: faults.intercept,
    });
  });

  afterAll(() => platform.stop());

  let force = 0;

  test.each<[string, NamedFault, FaultTarget]>([
    ['a rate limit on the model info', rateLimited(1, 'api'), { origin: 'hub', path: '/api/models/' }],
    ['a rate limit on the listing', rateLimited(1, 'api'), { origin: 'hub', path: '/tree/' }],
    ['a rate limit on the files', rateLimited(1), { origin: 'hub', path: '/resolve/', first: 3 }],
    ['a listing that fails twice', serverError(502), { origin: 'hub', path: '/tree/', first: 2 }],
    ['a Hub that fails for files', serverError(500), { origin: 'hub', path: '/resolve/', first: 3 }],
    ['a CDN that is overloaded', serverError(503), { origin: 'cdn', first: 3 }],
    ['a gateway that times out', serverError(504), { ...toWeights, first: 2 }],
    ['a signed URL that is too old', expiredUrl(), { ...toWeights, first: 2 }],
    ['a body that ends early', truncated(100_000), { ...toWeights, first: 2 }],
    ['a connection reset before the head', connectionReset(), { ...toWeights, first: 2 }],
    ['a connection reset within the body', connectionReset(300_000), { ...toWeights, first: 2 }],
    ['a Hub connection reset', connectionReset(), { origin: 'hub', first: 2 }],
    ['a range that is ignored once', ignoredRange(), { ...toWeights, ranged: true }],
    ['one wrong bit, once', flippedBit(9 * MiB + 5), { ...toWeights, first: 3 }],
  ])('end in a right Dir: %s', { timeout: 120_000 }, async (_name, fault, target) => {
    force += 1;
    const injected = faults.inject(fault, target);
    try {
      const dir = await platform.prefetch({ repo: 'org/model', force });
      expect(injected.hits).toBeGreaterThan(0);
      await expectRightDir(dir);
    } finally {
      faults.clear();
    }
  });

  test('one wrong bit that stays ends in DigestMismatch, with nothing published', { timeout: 120_000 }, async () => {
    const rawDataPath = pathToFileURL(await tmpFolder()).href;
    faults.inject(flippedBit(9 * MiB + 5), { ...toWeights, first: Number.POSITIVE_INFINITY });
    try {
      const error = await platform.prefetch({ repo: 'org/model', rawDataPath }).catch((reason: unknown) => reason);
      expect(isPrefetchError(error, 'DigestMismatch'), String(error)).toBe(true);
      expect(String(error)).toContain(WEIGHTS);
      const left = await readdir(fileURLToPath(rawDataPath), { recursive: true });
      expect(left.filter((path) => path.endsWith(WEIGHTS) || path.endsWith('manifest.json'))).toEqual([]);
    } finally {
      faults.clear();
    }
  });

  test('a branch that moves during the run changes nothing: the commit was resolved first', async () => {
    platform.hub.moveBranch('org/moving', 'main', 0);
    const commit = platform.hub.commitOf('org/moving', 'main');
    const moved = faults.inject(
      meanwhile(() => {
        platform.hub.moveBranch('org/moving', 'main', 1);
      }),
      { origin: 'cdn', path: 'org/moving' }
    );
    const dir = await platform.prefetch({ repo: 'org/moving' });
    expect(moved.hits).toBe(1);
    expect(platform.hub.commitOf('org/moving', 'main')).not.toBe(commit);
    expect(dir.commit).toBe(commit);
    await expectRightDir(dir);
    const next = await platform.prefetch({ repo: 'org/moving' });
    expect(next.commit).toBe(platform.hub.commitOf('org/moving', 'main'));
    await expectRightDir(next);
  });
});

describe('by way of local disk', () => {
  test('a worker that is told to download and upload ends in the same Dir and leaves no scratch files', async () => {
    const scratchFolder = await tmpFolder();
    const platform = await startPlatform(server(), {
      repos: [smallRepo('org/by-disk')],
      settings: { transferMode: 'download-upload', scratchFolder },
    });
    try {
      const handle = await platform.client.start({ repo: 'org/by-disk' });
      await expectRightDir(await handle.result());
      expect(await activityTypes(handle.workflowId)).not.toContain('streamFiles');
      expect(await activityTypes(handle.workflowId)).toContain('downloadAndUploadFiles');
      expect(await filesUnder(scratchFolder)).toEqual([]);
    } finally {
      await platform.stop();
    }
  });
});

describeWithRclone('a store that takes no streamed parts', () => {
  test('gets its files by way of local disk, and the Dir is published', { timeout: 180_000 }, async () => {
    const s3 = await startRcloneS3();
    const { env, client, folder, close } = await site([smallRepo('org/fallback')]);
    const root = `s3://${s3.bucket}/root`;
    const scratch = join(folder, 'scratch');
    const store = await openStore(root, { s3: s3.options });
    try {
      const handle = await client.start({ repo: 'org/fallback' });
      const onS3 = { ...env, ...s3.env, MODEL_PREFETCH_STORE: root, MODEL_PREFETCH_SCRATCH: scratch };
      await withWorker(onS3, async () => {
        const dir = await handle.result();
        expect(dir.path).toMatch(/^s3:\/\/models\/root\/fallback\//);
        const prefix = dir.path.slice(store.root.length);
        await expectRightFiles(dir, async (path) => (await store.get(`${prefix}${path}`)) ?? new Uint8Array());
      });
      expect(await activityTypes(handle.workflowId)).toContain('downloadAndUploadFiles');
      expect(await filesUnder(scratch)).toEqual([]);
    } finally {
      await store.close();
      await close();
      await s3.stop();
    }
  });
});

interface Site {
  readonly hub: DevHub;
  /** How the CDN sends; may be changed at any time. */
  readonly pace: { isSlow: boolean; isStopped: boolean };
  /** For worker processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly client: PrefetchClient;
  readonly folder: string;
  readonly close: () => Promise<void>;
}

/** A Hub, an empty store, a queue of its own, and no worker yet. */
async function site(repos: readonly DevRepo[]): Promise<Site> {
  const folder = await createTmpFolder();
  const taskQueue = `recovery-${String(process.hrtime.bigint())}`;
  const pace = { isSlow: false, isStopped: false };
  const hub = await startDevHub({
    repos,
    intercept: ({ origin }) =>
      pace.isSlow && origin === 'cdn' ? { body: (chunks, { signal }) => paced(chunks, pace, signal) } : undefined,
  });
  const env = {
    TEMPORAL_ADDRESS: server().address,
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_STORE: pathToFileURL(join(folder, 'store')).href,
    MODEL_PREFETCH_SHARED_FILES: 'true',
    MODEL_PREFETCH_TASK_QUEUE: taskQueue,
    MODEL_PREFETCH_PART_SIZE: '5MiB',
  };
  const close = async () => {
    await hub.close();
    await removeFolder(folder);
  };
  return { hub, pace, env, client: new PrefetchClient({ client: server().client, taskQueue }), folder, close };
}

async function* paced(chunks: BodyChunks, pace: Site['pace'], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += 256 * 1024) {
      await delay(50);
      while (pace.isStopped && !signal.aborted) await delay(50);
      yield chunk.subarray(start, start + 256 * 1024);
    }
  }
}

/** Runs something beside a worker process, which is ended afterwards if it still runs. */
async function withWorker(env: Site['env'], run: (worker: CliRun) => Promise<void>): Promise<void> {
  const worker = await startWorkerProcess(env);
  try {
    await run(worker);
  } finally {
    if (worker.child.exitCode === null && worker.child.signalCode === null) worker.killGroup();
    await worker.ended;
  }
}

async function runIdOf(workflowId: string): Promise<string> {
  return (await server().client.workflow.getHandle(workflowId).describe()).runId;
}

function cdnBytes(hub: DevHub): number {
  return hub.requests.filter(({ origin }) => origin === 'cdn').reduce((total, { bytesSent }) => total + bytesSent, 0);
}

async function activityTypes(workflowId: string): Promise<string[]> {
  const { events } = await server().client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap((event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? []);
}

/** Why tries of activities failed, as the server noted it when the next try began. */
async function activityFailures(workflowId: string): Promise<string[]> {
  const { events } = await server().client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) => {
    if (started?.lastFailure == null) return [];
    return started.lastFailure.timeoutFailureInfo == null ? (started.lastFailure.message ?? '') : 'timeout';
  });
}

async function expectRightDir(dir: Dir): Promise<void> {
  await expectRightFiles(dir, (path) => readFile(join(fileURLToPath(dir.path), path)));
}

/** Every file of the small model has the bytes whose digest the manifest and so the Hub says. */
async function expectRightFiles(dir: Dir, read: (path: string) => Promise<Uint8Array>): Promise<void> {
  const manifest = manifestSchema.parse(JSON.parse(Buffer.from(await read('.prefetch/manifest.json')).toString()));
  expect(manifest.files.map(({ path }) => path).sort()).toEqual(Object.keys(smallModel().files).sort());
  for (const { path, size, sha256, gitSha1 } of manifest.files) {
    const bytes = await read(path);
    expect(bytes.length, path).toBe(size);
    const digest =
      sha256 === undefined
        ? createHash('sha1')
            .update(`blob ${String(size)}\0`)
            .update(bytes)
            .digest('hex')
        : createHash('sha256').update(bytes).digest('hex');
    expect(digest, path).toBe(sha256 ?? gitSha1);
  }
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
