import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { PrefetchClient } from '../../src/client.js';
import { readSettings, type Settings } from '../../src/config/environment.js';
import { prefetchWorkflowId } from '../../src/core/identity.js';
import { startDevHub, type DevHub } from '../../src/dev-hub/index.js';
import { createWorkers, type CreateWorkersOptions } from '../../src/worker.js';
import { runCli, startWorkerProcess, type CliRun } from '../helpers/cli.js';
import { smallRepo } from '../helpers/models.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';
import { aesCodec } from './fixtures/codecs/aes-codec.mjs';

const KEY = 'the key of this namespace';
const server = useTemporalServer();
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const encrypted: DataConverter = {
  payloadCodecs: [aesCodec(KEY)],
  failureConverterPath: fixture('codecs/failure-converter.cjs'),
};

let hub: DevHub;
let home: string;
let env: Record<string, string>;

beforeAll(async () => {
  home = await createTmpFolder();
  hub = await startDevHub({ repos: [smallRepo('org/small'), smallRepo('org/gated', { gated: 'manual' })] });
  env = {
    TEMPORAL_ADDRESS: server().address,
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_STORE: pathToFileURL(join(home, 'store-of-secrets')).href,
    MODEL_PREFETCH_SHARED_FILES: 'true',
    MODEL_PREFETCH_DATA_CONVERTER: fixture('codecs/converter.mjs'),
    CODEC_KEY: KEY,
  };
});

afterAll(async () => {
  await hub.close();
  await removeFolder(home);
});

describe('an encrypted namespace', () => {
  let worker: CliRun;

  beforeAll(async () => {
    worker = await startWorkerProcess(env);
  });

  afterAll(async () => {
    worker.killGroup();
    await worker.ended;
  });

  test('is served by worker and command line with the same converter, and nobody else reads its history', async () => {
    const run = await runCli(['hf-model', 'org/small', '--wait', '--output', 'json'], env);
    expect(run.code, run.stderr).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ repo: 'org/small' });
    const result = await runCli(['result', 'org/small', '--output', 'json'], env);
    expect(JSON.parse(result.stdout)).toEqual(JSON.parse(run.stdout));
    const status = await runCli(['status', 'org/small', '--output', 'json'], env);
    expect(JSON.parse(status.stdout)).toMatchObject({ status: 'completed', dir: JSON.parse(run.stdout) as object });
    const cancel = await runCli(['cancel', 'org/small'], env);
    expect(cancel).toMatchObject({ code: 0 });
    expect(await historyText(prefetchWorkflowId({ repo: 'org/small' }))).not.toContain('store-of-secrets');
  });

  test('tells failures by their code and their message to who has the converter', async () => {
    const run = await runCli(['hf-model', 'org/gated', '--wait'], env);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^GatedRepo: .*org\/gated/m);
    expect(await historyText(prefetchWorkflowId({ repo: 'org/gated' }))).not.toContain('licence');
    const without = await runCli(['result', 'org/gated'], { ...env, MODEL_PREFETCH_DATA_CONVERTER: undefined });
    expect(without.code).toBe(1);
    expect(without.stderr).toMatch(/^GatedRepo: The message is encoded.*MODEL_PREFETCH_DATA_CONVERTER/m);
    expect(without.stderr).not.toContain('Encoded failure');
  });

  test('tells a command line without the converter, or with another key, what it lacks', async () => {
    for (const other of [{ MODEL_PREFETCH_DATA_CONVERTER: undefined }, { CODEC_KEY: 'another' }]) {
      for (const command of ['result', 'status']) {
        const { stdout, stderr } = await runCli([command, 'org/small'], { ...env, ...other });
        expect(stdout + stderr).toMatch(/ResultNotDecoded: .*binary\/encrypted.*MODEL_PREFETCH_DATA_CONVERTER/);
      }
    }
  });

  test('fails a run whose client has no converter, another key, or another payload converter', async () => {
    const { stderr } = await runCli(['hf-model', 'org/small', '--force', '7', '--wait'], {
      ...env,
      CODEC_KEY: 'other',
    });
    expect(stderr).toMatch(/InputNotDecoded/);
  });
});

describe('plugins that the environment names', () => {
  test('bring their converter, interceptors and sinks to worker and command line, and leave the workflow in place', async () => {
    const log = join(home, 'plugin.log');
    const pluginEnv = {
      ...env,
      MODEL_PREFETCH_DATA_CONVERTER: undefined,
      MODEL_PREFETCH_PLUGINS: fixture('plugin/plugin.mjs'),
      MODEL_PREFETCH_TASK_QUEUE: 'with-plugin',
      PLUGIN_LOG: log,
    };
    const worker = await startWorkerProcess(pluginEnv);
    onTestFinished(async () => {
      worker.killGroup();
      await worker.ended;
    });
    const run = await runCli(['hf-model', 'org/small', '--force', '3', '--wait'], pluginEnv);
    expect(run.code, run.stderr).toBe(0);
    expect(await historyText(prefetchWorkflowId({ repo: 'org/small', force: 3 }))).not.toContain('store-of-secrets');
    expect(await readFile(log, 'utf8')).toMatch(/^workflow prefetchModel$[^]*^activity$/m);
  });

  test.each([
    ['MODEL_PREFETCH_DATA_CONVERTER', 'hf-model'],
    ['MODEL_PREFETCH_PLUGINS', 'worker'],
  ])('end a command before anything starts where %s names no such module', async (variable, command) => {
    const args = command === 'worker' ? [command] : [command, 'org/small'];
    const run = await runCli(args, { ...env, [variable]: './nowhere.mjs' });
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toContain(`InvalidInput: ${variable}: ./nowhere.mjs is not there`);
  });
});

describe('a run whose input a worker cannot decode', () => {
  test.each<[string, DataConverter | undefined, DataConverter | undefined, string]>([
    ['lacks the codec', encrypted, undefined, 'binary/encrypted'],
    ['has another key', encrypted, { payloadCodecs: [aesCodec('another key')] }, 'binary/encrypted'],
    ['takes encrypted payloads only', undefined, { payloadCodecs: [aesCodec(KEY, { strict: true })] }, 'json/plain'],
    [
      'lacks the payload converter',
      { payloadConverterPath: fixture('codecs/payload-converter.cjs') },
      undefined,
      'json/own',
    ],
  ])('fails as InputNotDecoded where the worker %s', async (_name, ofClient, ofWorker, encoding) => {
    const { settings } = await startWorkers(ofWorker === undefined ? {} : { dataConverter: ofWorker });
    const client = clientWith(ofClient);
    const handle = await new PrefetchClient({ client, taskQueue: settings.taskQueue }).start({
      repo: 'org/small',
      force: Number(process.hrtime.bigint() % 1_000_000_000n),
    });
    const failure = await handle.result().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'InputNotDecoded' });
    expect(String(failure)).toMatch(new RegExp(`${encoding}.*MODEL_PREFETCH_DATA_CONVERTER`));
  });

  test('is not failed by a key service that is away for a moment', async () => {
    let calls = 0;
    const codec = aesCodec(KEY);
    const flaky: DataConverter = {
      payloadCodecs: [
        {
          encode: (payloads) => codec.encode(payloads),
          decode: async (payloads) => {
            calls += 1;
            if (calls <= 1) throw new Error('key service: 503 Service Unavailable');
            return codec.decode(payloads);
          },
        },
      ],
    };
    const { settings } = await startWorkers({ dataConverter: flaky });
    const prefetches = new PrefetchClient({ client: clientWith(encrypted), taskQueue: settings.taskQueue });
    const handle = await prefetches.start({ repo: 'org/small', force: 11 });
    expect(await handle.result()).toMatchObject({ repo: 'org/small' });
    expect(calls).toBeGreaterThan(1);
  });
});

describe('ensureModel in an encrypted namespace', () => {
  test('gets the Dir where both workers have the codec', async () => {
    const { settings } = await startWorkers({ dataConverter: encrypted });
    expect(await ensure(settings)).toMatchObject({ repo: 'org/small' });
  });

  test('fails as InputNotDecoded where the worker that waits has none', async () => {
    const { settings } = await startWorkers({ roles: ['wait'] });
    const error = await ensure(settings).catch((reason: unknown) => reason);
    expect(rootOf(error)).toMatchObject({ type: 'InputNotDecoded', nonRetryable: true });
  });
});

/** The workers of a queue of their own, in this process; they end with the test. */
async function startWorkers(options: Partial<CreateWorkersOptions>): Promise<{ readonly settings: Settings }> {
  const settings = { ...readSettings({ HOME: home, ...env }), taskQueue: `queue-${String(process.hrtime.bigint())}` };
  const workers = await createWorkers({
    connection: server().nativeConnection,
    settings,
    shutdownGraceMs: 0,
    ...options,
  });
  const running = workers.run();
  onTestFinished(async () => {
    workers.shutdown();
    await running;
  });
  return { settings };
}

function clientWith(dataConverter: DataConverter | undefined): Client {
  const { connection } = server();
  return new Client({ connection, ...(dataConverter === undefined ? {} : { dataConverter }) });
}

/** A workflow of a user with the codec, which waits for the model. */
async function ensure(settings: Settings): Promise<unknown> {
  const taskQueue = `user-${String(process.hrtime.bigint())}`;
  const worker = await Worker.create({
    connection: server().nativeConnection,
    taskQueue,
    workflowsPath: fixture('own-queue-workflows.ts'),
    dataConverter: encrypted,
  });
  const args = ['org/small', settings.taskQueue];
  const { workflow } = clientWith(encrypted);
  return worker.runUntil(workflow.execute('waitForModel', { taskQueue, workflowId: taskQueue, args }));
}

/** All that the server keeps of a run, with what is in its payloads: these are bytes, in base64 where they are JSON. */
async function historyText(workflowId: string): Promise<string> {
  const { events } = await server().client.workflow.getHandle(workflowId).fetchHistory();
  const json = JSON.stringify(events);
  const inPayloads = [...json.matchAll(/"([\w+/]{8,}={0,2})"/g)].map(([, base64 = '']) =>
    Buffer.from(base64, 'base64').toString('latin1')
  );
  const text = [json, ...inPayloads].join('\n');
  expect(text).toContain('binary/encrypted');
  return text;
}

function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}
