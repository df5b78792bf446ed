import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runOwnWorkers } from '../../examples/own-worker/workers.js';
import { PrefetchClient } from '../../src/client.js';
import { prefetchWorkflowId } from '../../src/core/identity.js';
import { ModelPrefetchPlugin } from '../../src/plugin.js';
import { until } from '../helpers/local-server.js';
import { smallRepo } from '../helpers/models.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { temporalCli } from '../helpers/temporal-cli.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { aesCodec } from './fixtures/codecs/aes-codec.mjs';

const server = useTemporalServer();
const QUEUE = 'base';
let platform: Platform;
let gate = Promise.resolve();
let held = 0;
let user: { readonly taskQueue: string; stop(): Promise<void> };

beforeAll(async () => {
  platform = await startPlatform(server(), {
    taskQueue: QUEUE,
    repos: [smallRepo('org/small'), smallRepo('org/slow'), smallRepo('org/gated', { gated: 'manual' })],
    intercept: async ({ origin }) => {
      if (origin !== 'cdn') return undefined;
      held += 1;
      await gate;
      return undefined;
    },
  });
  user = await startUserWorker();
});

afterAll(async () => {
  await user.stop();
  await platform.stop();
});

describe('the Temporal CLI', () => {
  test.each([
    ['as to the workflow', '{"repo":"org/small"}'],
    ['with the queue named', `{"input":{"repo":"org/small"},"taskQueue":"${QUEUE}"}`],
  ])('gets a Dir from the standalone activity ensureModel, given the input %s', async (name, input) => {
    const { code, stdout, stderr } = await temporalCli(server().address).run([
      ...['activity', 'execute', '--activity-id', `ensure ${name}`, '--type', 'ensureModel'],
      ...['--task-queue', `${QUEUE}-wait`, '--schedule-to-close-timeout', '1h', '--heartbeat-timeout', '60s'],
      ...['--input', input, '--output', 'json'],
    ]);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain('"repo": "org/small"');
    expect(await platform.client.get(prefetchWorkflowId({ repo: 'org/small' })).status()).toBe('completed');
  });

  test('refreshes a model by a Schedule, whose run waits for the shared one', async () => {
    const cli = temporalCli(server().address);
    const created = await cli.run([
      ...['schedule', 'create', '--schedule-id', 'nightly', '--calendar', '{"hour":"3"}', '--type', 'refreshModel'],
      ...['--task-queue', QUEUE, '--workflow-id', 'refresh-small', '--input', '{"repo":"org/small"}'],
    ]);
    expect(created.code, created.stderr).toBe(0);
    expect((await cli.run(['schedule', 'trigger', '--schedule-id', 'nightly'])).code).toBe(0);
    const scheduled = async () => {
      const runs = server().client.workflow.list({ query: `WorkflowType = 'refreshModel'` });
      for await (const run of runs) return run;
      return undefined;
    };
    let run = await scheduled();
    await until(() => {
      void scheduled().then((found) => (run = found));
      return run !== undefined;
    }, 'the run of the Schedule');
    expect(run?.workflowId).toMatch(/^refresh-small-/);
    const dir: unknown = await server()
      .client.workflow.getHandle(run?.workflowId ?? '')
      .result();
    expect(dir).toMatchObject({ repo: 'org/small' });
  });
});

describe('ensureModel', () => {
  test('tells the code of a failure inside a workflow', async () => {
    expect(await execute('codeOfFailure', 'org/gated')).toBe('GatedRepo true');
  });

  test('refuses a token where its name belongs before anything is scheduled', async () => {
    const error: unknown = await execute('waitWithToken', 'org/small').catch((reason: unknown) => reason);
    const cause = error instanceof Error ? error.cause : undefined;
    expect(cause).toMatchObject({ type: 'InvalidInput', nonRetryable: true });
    expect(String(cause)).not.toContain('AbCd1234');
  });

  test('shows which run it waits for and how far that is, and takes the run along when asked to', async () => {
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    onTestFinished(() => {
      open();
      gate = Promise.resolve();
    });
    const before = held;
    const handle = await start('waitAndTakeAlong', 'org/slow');
    await until(() => held > before, 'the transfer', 30_000);
    const workflowId = prefetchWorkflowId({ repo: 'org/slow' });
    let details = '';
    await until(
      () => {
        void handle.describe().then(({ raw }) => {
          const [payload] = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads ?? [];
          details = Buffer.from(payload?.data ?? []).toString();
        });
        return details.includes('"phase"');
      },
      'the heartbeat',
      40_000
    );
    expect(JSON.parse(details)).toMatchObject({ workflowId, taskQueue: QUEUE });
    await handle.cancel();
    const run = platform.client.get(workflowId);
    await expect(run.result()).rejects.toThrow('Cancelled');
  });
});

test('workers that a program assembles from the exported activities run a prefetch', async () => {
  const settings = { ...platform.settings, taskQueue: 'assembled', fileStoreIsShared: true };
  const over = new AbortController();
  const workflowsPath = fileURLToPath(new URL('../../examples/own-worker/workflows.ts', import.meta.url));
  const running = runOwnWorkers(settings, server().nativeConnection, { workflowsPath, signal: over.signal });
  const client = new PrefetchClient({ client: server().client, taskQueue: 'assembled' });
  const handle = await client.start({ repo: 'org/small', force: 5 });
  expect(await handle.result()).toMatchObject({ repo: 'org/small' });
  const { connection, options } = server().client;
  const dataConverter = { payloadCodecs: [aesCodec('a key that the worker has not')] };
  const other = new Client({ connection, namespace: options.namespace, dataConverter });
  const unreadable = await new PrefetchClient({ client: other, taskQueue: 'assembled' }).start({ repo: 'org/small' });
  await expect(unreadable.result()).rejects.toThrow(/^InputNotDecoded: .*encoding "binary\/encrypted"/);
  over.abort();
  await running;
});

async function startUserWorker() {
  const taskQueue = `user-${String(process.hrtime.bigint())}`;
  const worker = await Worker.create({
    connection: server().nativeConnection,
    taskQueue,
    workflowsPath: fileURLToPath(new URL('./fixtures/own-queue-workflows.ts', import.meta.url)),
    plugins: [new ModelPrefetchPlugin()],
    maxHeartbeatThrottleInterval: '1s',
  });
  const running = worker.run();
  const stop = async () => {
    worker.shutdown();
    await running;
  };
  return { taskQueue, stop };
}

let count = 0;

function start(type: string, repo: string) {
  const { taskQueue } = user;
  const workflowId = `${taskQueue}-${String((count += 1))}`;
  return server().client.workflow.start(type, { taskQueue, workflowId, args: [repo, QUEUE] });
}

async function execute(type: string, repo: string): Promise<unknown> {
  return (await start(type, repo)).result();
}
