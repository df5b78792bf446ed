import { fileURLToPath } from 'node:url';
import { ActivityFailure, ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as activities from '../../examples/inference-workflow/activities.js';
import type { inference } from '../../examples/inference-workflow/workflows.js';
import { prefetchWorkflowId } from '../../src/client.js';
import type { PrefetchInput } from '../../src/core/contract.js';
import { DEFAULT_TASK_QUEUE } from '../../src/core/queues.js';
import { ModelPrefetchPlugin } from '../../src/plugin.js';
import { until } from '../helpers/local-server.js';
import { smallRepo } from '../helpers/models.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { useTemporalServer } from '../helpers/temporal.js';

const WEIGHT_BYTES = 20_000_001;

const server = useTemporalServer();
let platform: Platform;
/** While this is pending, the CDN answers nothing. */
let gate = Promise.resolve();
let held = 0;

beforeAll(async () => {
  platform = await startPlatform(server(), {
    // The example names no queue, so the workers have to be on the one that is the default.
    taskQueue: DEFAULT_TASK_QUEUE,
    repos: [
      smallRepo('org/small'),
      smallRepo('org/shared'),
      smallRepo('org/left-alone'),
      smallRepo('org/own-queue'),
      smallRepo('org/gated', { gated: 'manual' }),
    ],
    intercept: async ({ origin }) => {
      if (origin !== 'cdn') return undefined;
      held += 1;
      await gate;
      return undefined;
    },
  });
});

afterAll(() => platform.stop());

describe('a workflow that awaits a model', () => {
  test('gets its Dir and hands it to an activity of its own worker', async () => {
    const text = await withExampleWorker(async (start) => (await start('org/small')).result());
    const commit = platform.hub.commitOf('org/small', 'main');
    const dir = await platform.prefetch({ repo: 'org/small', selection: 'vllm' });
    expect(text).toBe(
      `org/small@${commit}: ${String(dir.fileCount)} files, ${String(dir.totalBytes)} bytes in ${dir.path}`
    );
    expect(dir.totalBytes).toBeGreaterThan(WEIGHT_BYTES);
  });

  test('shares one run with two others that ask at the same time', async () => {
    const texts = await withExampleWorker(async (start) => {
      const handles = await Promise.all([start('org/shared'), start('org/shared'), start('org/shared')]);
      return Promise.all(handles.map((handle) => handle.result()));
    });
    expect(new Set(texts).size).toBe(1);
    expect(weightBytesOf('org/shared')).toBe(WEIGHT_BYTES);
  });

  test('fails by the code that the prefetch failed with, and is not tried again', async () => {
    const error = await withExampleWorker(async (start) =>
      (await start('org/gated')).result().catch((reason: unknown) => reason)
    );
    const failure = rootFailure(error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'GatedRepo', nonRetryable: true });
    expect((failure as ApplicationFailure).message).toMatch(/^GatedRepo: /);
  });

  test('can be cancelled, and leaves the shared run alone', async () => {
    const openGate = closeGate();
    await withExampleWorker(async (start) => {
      const waiter = await start('org/left-alone');
      const other = await start('org/left-alone');
      await until(() => held > 0, 'the transfer to start', 30_000);
      await waiter.cancel();
      const error = await waiter.result().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(WorkflowFailedError);
      expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
      const shared = platform.client.get(prefetchWorkflowId(inputOf('org/left-alone')));
      expect(await shared.status()).toBe('running');
      openGate();
      expect(await other.result()).toContain('org/left-alone@');
      expect(await shared.status()).toBe('completed');
    });
  });
});

describe('ModelPrefetchPlugin', () => {
  test('lets a workflow wait on its own queue, where no other worker is', async () => {
    const taskQueue = `own-${String(process.hrtime.bigint())}`;
    const worker = await Worker.create({
      connection: server().nativeConnection,
      taskQueue,
      workflowsPath: fileURLToPath(new URL('./fixtures/own-queue-workflows.ts', import.meta.url)),
      plugins: [new ModelPrefetchPlugin()],
    });
    const dir: unknown = await worker.runUntil(
      server().client.workflow.execute('waitOnOwnQueue', { taskQueue, workflowId: taskQueue, args: ['org/own-queue'] })
    );
    expect(dir).toMatchObject({ repo: 'org/own-queue', commit: platform.hub.commitOf('org/own-queue', 'main') });
    const queues = await waitQueues(taskQueue);
    expect(queues).toEqual([taskQueue]);
  });
});

/** Runs the worker of the example while something is done with its workflow. */
async function withExampleWorker<T>(
  run: (start: (repo: string) => Promise<WorkflowHandle<typeof inference>>) => Promise<T>
): Promise<T> {
  const taskQueue = `inference-${String(process.hrtime.bigint())}`;
  const worker = await Worker.create({
    connection: server().nativeConnection,
    taskQueue,
    workflowsPath: fileURLToPath(new URL('../../examples/inference-workflow/workflows.ts', import.meta.url)),
    activities,
    plugins: [new ModelPrefetchPlugin()],
  });
  let count = 0;
  return worker.runUntil(() =>
    run((repo) => {
      count += 1;
      return server().client.workflow.start<typeof inference>('inference', {
        taskQueue,
        workflowId: `${taskQueue}-${String(count)}`,
        args: [repo],
      });
    })
  );
}

/** Holds back every answer of the CDN until it is opened. */
function closeGate(): () => void {
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  held = 0;
  return open;
}

/** What the example asks for. */
function inputOf(repo: string): PrefetchInput {
  return { repo, selection: 'vllm' };
}

function rootFailure(error: unknown): unknown {
  if (error instanceof WorkflowFailedError || error instanceof ActivityFailure) return rootFailure(error.cause);
  return error;
}

function weightBytesOf(repo: string): number {
  return platform.hub.requests
    .filter(({ origin, path }) => origin === 'cdn' && path.includes(repo) && path.endsWith('model.safetensors'))
    .reduce((total, { bytesSent }) => total + bytesSent, 0);
}

/** Queues of the activities that a workflow scheduled. */
async function waitQueues(workflowId: string): Promise<string[]> {
  const { events } = await server().client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap((event) => event.activityTaskScheduledEventAttributes?.taskQueue?.name ?? []);
}
