import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { startDevHub, type BodyChunks, type DevHub } from '../../src/dev-hub/index.js';
import { runCli, startCli } from '../helpers/cli.js';
import { until } from '../helpers/local-server.js';
import { smallRepo } from '../helpers/models.js';
import { tmpFolder } from '../helpers/tmp.js';

const WEIGHT_BYTES = 64 * 1024 * 1024;

let hub: DevHub;
let isSlow = false;

beforeAll(async () => {
  hub = await startDevHub({
    repos: [
      smallRepo('org/small'),
      smallRepo('org/big', { weightBytes: WEIGHT_BYTES }),
      smallRepo('org/gated', { gated: 'manual' }),
    ],
    intercept: ({ origin }) => (isSlow && origin === 'cdn' ? { body: paced } : undefined),
  });
});

afterAll(() => hub.close());

describe('model-prefetch, embedded', () => {
  test('prints a Dir as its schema says, whose manifest is as its schema says', async () => {
    const env = environment(await tmpFolder());
    const { code, stdout, stderr } = await runCli(['hf-model', 'org/small', '--output', 'json'], env);
    expect(code, stderr).toBe(0);
    const dir = JSON.parse(stdout) as Dir;
    await expectValid('dir.json', dir);
    await expectValid('manifest.json', JSON.parse(await readFile(fileURLToPath(dir.manifestPath), 'utf8')));
  });

  test('plans what is missing without a write and without a request for the bytes of a file', async () => {
    const home = await tmpFolder();
    const env = environment(home);
    const { stdout } = await runCli(['hf-model', 'org/small', '--output', 'json'], env);
    const dir = JSON.parse(stdout) as Dir;
    const removed = fileURLToPath(`${dir.path}config.json`);
    const { size: bytes } = await stat(removed);
    await rm(removed);
    const before = await snapshot(home);
    const requests = hub.requests.length;
    const plan = await runCli(['plan', 'org/small', '--output', 'json'], env);
    expect(plan.code, plan.stderr).toBe(0);
    expect(JSON.parse(plan.stdout)).toMatchObject({ commit: dir.commit, fileCount: 6, fetchBytes: bytes });
    expect(await snapshot(home)).toEqual(before);
    const asked = hub.requests.slice(requests);
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter(({ origin, path }) => origin === 'cdn' || path.includes('/resolve'))).toEqual([]);
  });

  test('says in a plan that access is refused, by the code', async () => {
    const { code, stdout, stderr } = await runCli(['plan', 'org/gated'], environment(await tmpFolder()));
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^GatedRepo: /m);
  });

  test('stops on Ctrl-C with code 130, and the same command goes on with the bytes it has', async () => {
    const env = environment(await tmpFolder());
    isSlow = true;
    const start = cdnBytes();
    const run = startCli(['hf-model', 'org/big'], env);
    await until(() => run.child.exitCode !== null || cdnBytes() - start > WEIGHT_BYTES / 2, 'half of it', 60_000);
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    expect({ code, stdout }, stderr).toEqual({ code: 130, stdout: '' });
    isSlow = false;
    const before = cdnBytes();
    const again = await runCli(['hf-model', 'org/big'], env);
    expect(again.code, again.stderr).toBe(0);
    expect(cdnBytes() - before).toBeLessThan(0.8 * WEIGHT_BYTES);
  });
});

function environment(home: string): Record<string, string> {
  return { MODEL_PREFETCH_HOME: home, HF_ENDPOINT: hub.url, MODEL_PREFETCH_PART_SIZE: '5MiB' };
}

async function expectValid(schema: string, value: unknown): Promise<void> {
  const text = await readFile(new URL(`../../schemas/${schema}`, import.meta.url), 'utf8');
  const ajv = new Ajv2020();
  const isValid = ajv.compile(JSON.parse(text) as object);
  expect(isValid(value), ajv.errorsText(isValid.errors)).toBe(true);
}

/** Every path under a folder with its size and time of change. */
async function snapshot(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true });
  const lines = await Promise.all(
    entries.map(async (path) => {
      const { size, mtimeMs } = await stat(join(folder, path));
      return [path, `${String(size)} ${String(mtimeMs)}`] as const;
    })
  );
  return Object.fromEntries(lines);
}

function cdnBytes(): number {
  return hub.requests.filter(({ origin }) => origin === 'cdn').reduce((total, { bytesSent }) => total + bytesSent, 0);
}

/** A few megabytes a second on each connection. */
async function* paced(chunks: BodyChunks): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += 256 * 1024) {
      await delay(50);
      yield chunk.subarray(from, from + 256 * 1024);
    }
  }
}
