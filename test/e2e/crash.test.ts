import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { startDevHub, type BodyChunks, type DevHub } from '../../src/dev-hub/index.js';
import { runCli, startCli } from '../helpers/cli.js';
import { until } from '../helpers/local-server.js';
import { tmpFolder } from '../helpers/tmp.js';

const WEIGHT_BYTES = 96 * 1024 * 1024;
const SMALL_FILES = 80;

let hub: DevHub;
let slow = false;

beforeAll(async () => {
  hub = await startDevHub({
    repos: [
      {
        id: 'org/model',
        commits: [
          {
            files: {
              'model.safetensors': { size: WEIGHT_BYTES, seed: 'crash' },
              ...Object.fromEntries(
                Array.from({ length: SMALL_FILES }, (_, n) => [
                  `data/${String(n)}.json`,
                  { size: 2000 + n, seed: `s${String(n)}` },
                ])
              ),
            },
          },
        ],
      },
    ],
    intercept: ({ origin }) => (slow && origin === 'cdn' ? { body: paced } : undefined),
  });
});

afterAll(() => hub.close());

describe('kill -9 of the whole process group', () => {
  test(
    'at any moment loses only parts in flight: the same command again ends in the same Dir',
    { timeout: 180_000 },
    async () => {
      const home = await tmpFolder();
      slow = true;
      const base = cdnBytes();
      // From the first answer of the Hub to the last megabytes of the weights.
      for (const share of [0, 0.15, 0.4, 0.7, 0.95]) {
        const run = startCli(['hf-model', 'org/model', '--output', 'json'], environment(home));
        const requests = hub.requests.length;
        await until(
          () =>
            run.child.exitCode !== null ||
            (hub.requests.length > requests && cdnBytes() - base >= share * WEIGHT_BYTES),
          'the bytes',
          60_000
        );
        expect(run.child.exitCode).toBeNull();
        run.killGroup();
        expect((await run.ended).signal).toBe('SIGKILL');
      }
      slow = false;
      const dir = dirOf(await runCli(['hf-model', 'org/model', '--output', 'json'], environment(home)));
      const clean = await tmpFolder();
      const other = dirOf(await runCli(['hf-model', 'org/model', '--output', 'json'], environment(clean)));
      expect({ ...dir, path: '', manifestPath: '', manifestDigest: '' }).toEqual({
        ...other,
        path: '',
        manifestPath: '',
        manifestDigest: '',
      });
      expect(await contentOf(dir)).toEqual(await contentOf(other));
    }
  );

  test('keeps what is in the store: a killed run does not start over', { timeout: 120_000 }, async () => {
    const home = await tmpFolder();
    slow = true;
    const start = cdnBytes();
    const run = startCli(['hf-model', 'org/model'], environment(home));
    await until(() => run.child.exitCode !== null || cdnBytes() - start >= 0.6 * WEIGHT_BYTES, 'the bytes', 60_000);
    run.killGroup();
    await run.ended;
    slow = false;
    const before = cdnBytes();
    const result = await runCli(['hf-model', 'org/model', '--output', 'json'], environment(home));
    expect(result.code, result.stderr).toBe(0);
    expect(cdnBytes() - before).toBeLessThan(0.8 * WEIGHT_BYTES);
  });
});

/** About 40 MB/s over four lanes: slow enough to be killed anywhere. */
async function* paced(chunks: BodyChunks): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += 256 * 1024) {
      await delay(25);
      yield chunk.subarray(start, start + 256 * 1024);
    }
  }
}

function cdnBytes(): number {
  return hub.requests.filter(({ origin }) => origin === 'cdn').reduce((total, { bytesSent }) => total + bytesSent, 0);
}

function environment(home: string): Record<string, string> {
  return { MODEL_PREFETCH_HOME: home, HF_ENDPOINT: hub.url, MODEL_PREFETCH_PART_SIZE: '5MiB' };
}

function dirOf(result: { code: number | null; stdout: string; stderr: string }): Dir {
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as Dir;
}

async function contentOf(dir: Dir): Promise<Map<string, string>> {
  const folder = fileURLToPath(dir.path);
  const digests = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(folder.length);
    if (!entry.isFile() || path === '.prefetch/manifest.json') continue;
    digests.set(
      path,
      createHash('sha256')
        .update(await readFile(join(folder, path)))
        .digest('hex')
    );
  }
  return new Map([...digests].sort(([a], [b]) => (a < b ? -1 : 1)));
}
