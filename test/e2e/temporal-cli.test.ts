import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { startDevHub, type BodyChunks, type DevHub } from '../../src/dev-hub/index.js';
import { runCli, startWorkerProcess, type CliRun } from '../helpers/cli.js';
import { expectValid } from '../helpers/dir-content.js';
import { hubFaults } from '../helpers/hub-faults.js';
import { until } from '../helpers/local-server.js';
import { smallRepo } from '../helpers/models.js';
import { temporalCli } from '../helpers/temporal-cli.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';

const QUEUE = 'model-prefetch';
const WEIGHT_BYTES = 64 * 1024 * 1024;

const server = useTemporalServer();
const faults = hubFaults();
let hub: DevHub;
let home: string;
let env: Record<string, string>;
let worker: CliRun;

beforeAll(async () => {
  home = await createTmpFolder();
  hub = await startDevHub({
    repos: [
      smallRepo('org/small'),
      smallRepo('org/slow', { weightBytes: WEIGHT_BYTES }),
      smallRepo('org/cancelled', { seed: 'cancelled', weightBytes: WEIGHT_BYTES }),
      smallRepo('org/described'),
    ],
    intercept: faults.intercept,
  });
  env = {
    TEMPORAL_ADDRESS: server().address,
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_STORE: pathToFileURL(join(home, 'store')).href,
    MODEL_PREFETCH_SHARED_FILES: 'true',
    MODEL_PREFETCH_PART_SIZE: '5MiB',
  };
  worker = await startWorkerProcess(env);
});

afterAll(async () => {
  worker.killGroup();
  await worker.ended;
  await hub.close();
  await removeFolder(home);
});

describe('the Temporal CLI', () => {
  test('starts a prefetch with the ID that model-prefetch gives, and prints its Dir', async () => {
    const id = await idOf('org/small');
    await start(id, '{"repo":"org/small"}');
    const { code, stdout, stderr } = await temporal(['workflow', 'result', '--workflow-id', id, '--output', 'json']);
    expect(code, stderr).toBe(0);
    const dir = resultOf(stdout);
    await expectValid('dir.json', dir);
    expect(dir).toMatchObject({ repo: 'org/small', commit: hub.commitOf('org/small', 'main'), fileCount: 6 });
    expect(`sha256:${await sha256(fileURLToPath(dir.manifestPath))}`).toBe(dir.manifestDigest);
    const plain = await temporal(['workflow', 'result', '--workflow-id', id]);
    expect(plain.stdout).toContain(dir.path);
  });

  test('answers the progress query, and describes the run by its summary and its details', async () => {
    const id = await idOf('org/described');
    await start(id, '{"repo":"org/described"}');
    await temporal(['workflow', 'result', '--workflow-id', id]);
    const query = await temporal(['workflow', 'query', '--workflow-id', id, '--type', 'progress', '--output', 'json']);
    expect(query.code, query.stderr).toBe(0);
    expect(JSON.parse(query.stdout)).toMatchObject({
      queryResult: [{ phase: 'done', repo: 'org/described', filesDone: 6, fileCount: 6 }],
    });
    const details = await temporal([...['workflow', 'metadata', '--workflow-id', id, '--output', 'json']]);
    expect(details.stdout).toContain('org/described');
    // A start by this package's own command has the summary beside it; one by hand gives it with a flag.
    const other = await runCli(['hf-model', 'org/described', '--wait'], env);
    expect(other.code, other.stderr).toBe(0);
    const description = await temporal(['workflow', 'describe', '--workflow-id', id]);
    expect(description.stdout).toContain('Prefetch org/described@main');
  });

  test('joins the run that is under way instead of starting another', async () => {
    const slow = slowDown();
    const id = await idOf('org/slow');
    const first = await start(id, '{"repo":"org/slow"}');
    await until(() => cdnBytes() > 0, 'the first bytes');
    expect(await start(id, '{"repo":"org/slow"}')).toBe(first);
    slow.remove();
    const { code } = await temporal(['workflow', 'result', '--workflow-id', id]);
    expect(code).toBe(0);
  });

  test('cancels a slow transfer; a later start goes on where it was', { timeout: 120_000 }, async () => {
    const slow = slowDown();
    const id = await idOf('org/cancelled');
    const input = '{"repo":"org/cancelled"}';
    const before = cdnBytes();
    await start(id, input);
    await until(() => cdnBytes() - before > WEIGHT_BYTES / 2, 'half of the bytes', 60_000);
    const cancelled = await temporal(['workflow', 'cancel', '--workflow-id', id]);
    expect(cancelled.code, cancelled.stderr).toBe(0);
    const ended = await temporal(['workflow', 'result', '--workflow-id', id], { timeoutMs: 20_000 });
    expect(ended.code).toBe(1);
    expect(ended.stdout + ended.stderr).toMatch(/cancell?ed/i);
    slow.remove();
    const resumed = cdnBytes();
    await start(id, input);
    const { stdout } = await temporal(['workflow', 'result', '--workflow-id', id, '--output', 'json']);
    await expectValid('dir.json', resultOf(stdout));
    expect(cdnBytes() - resumed).toBeLessThan(0.8 * WEIGHT_BYTES);
  });

  test.each([
    ['null', 'null'],
    ['an array', '["org/small"]'],
    ['a text', '"org/small"'],
    ['an unknown field', '{"repo":"org/small","brunch":"main"}'],
  ])('is told at once that %s is no input', async (name, input) => {
    const id = `wrong input ${name}`;
    await start(id, input);
    const { code, stdout, stderr } = await temporal(['workflow', 'result', '--workflow-id', id], { timeoutMs: 20_000 });
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('InvalidInput: ');
  });

  test('is told at once that a start without any input is none', async () => {
    await start('no input');
    const { code, stdout, stderr } = await temporal(['workflow', 'result', '--workflow-id', 'no input']);
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('InvalidInput: ');
  });
});

function temporal(args: readonly string[], options: { readonly timeoutMs?: number } = {}) {
  return temporalCli(server().address).run(args, options);
}

function start(workflowId: string, input?: string): Promise<string> {
  return temporalCli(server().address).start({ workflowId, taskQueue: QUEUE, input });
}

async function idOf(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(['id', ...args], env);
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

function resultOf(stdout: string): Dir {
  const { result } = JSON.parse(stdout) as { result: Dir };
  return result;
}

async function sha256(file: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

function cdnBytes(): number {
  return hub.requests.filter(({ origin }) => origin === 'cdn').reduce((total, { bytesSent }) => total + bytesSent, 0);
}

/** Lets the CDN send a few megabytes a second on each connection. */
function slowDown() {
  return faults.inject({ body: paced }, { origin: 'cdn', first: Number.POSITIVE_INFINITY });
}

async function* paced(chunks: BodyChunks): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += 128 * 1024) {
      await delay(50);
      yield chunk.subarray(from, from + 128 * 1024);
    }
  }
}
