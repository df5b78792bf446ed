import { readFile, readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { startDevHub, type BodyChunks, type DevHub } from '../../src/dev-hub/index.js';
import { checkpointFolder } from '../cli/checkpoint-folder.js';
import { runCli, startCli } from '../helpers/cli.js';
import { installEarlierRelease } from '../helpers/earlier-release.js';
import { until } from '../helpers/local-server.js';
import { smallModel } from '../helpers/models.js';
import { createTmpFolder, removeFolder, tmpFolder } from '../helpers/tmp.js';

const WEIGHT_BYTES = 32 * 1024 * 1024;

let hub: DevHub;
let slow = false;
let folder: string;
let earlier: string;

beforeAll(async () => {
  folder = await createTmpFolder();
  earlier = await installEarlierRelease(folder);
  hub = await startDevHub({
    repos: [{ id: 'org/model', commits: [smallModel({ weightBytes: WEIGHT_BYTES })] }],
    intercept: ({ origin }) => (slow && origin === 'cdn' ? { body: paced } : undefined),
  });
});

afterAll(async () => {
  await hub.close();
  await removeFolder(folder);
});

/** Both releases on one store, each in a home of its own. */
async function setUp() {
  const [store, home, otherHome] = [await tmpFolder(), await tmpFolder(), await tmpFolder()];
  const shared = {
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_STORE: pathToFileURL(store).href,
    MODEL_PREFETCH_PART_SIZE: '5MiB',
  };
  const args = ['hf-model', 'org/model', '--output', 'json'];
  const bring = async (...run: Parameters<typeof runCli>): Promise<Dir> => {
    const { code, stdout, stderr } = await runCli(...run);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout) as Dir;
  };
  const now = { ...shared, MODEL_PREFETCH_HOME: join(home, 'home') };
  const then = { ...shared, MODEL_PREFETCH_HOME: join(otherHome, 'home') };
  return {
    store,
    byThis: () => bring(args, now),
    byEarlier: () => bring(args, then, earlier),
    startThis: () => startCli(args, now),
    startEarlier: () => startCli(args, then, earlier),
  };
}

const manifestOf = (dir: Dir) => readFile(fileURLToPath(dir.manifestPath), 'utf8');
const cdnBytes = () =>
  hub.requests.filter(({ origin }) => origin === 'cdn').reduce((total, { bytesSent }) => total + bytesSent, 0);

test('a Dir of release 0.1.0 is a hit, and its manifest stays as it is', { timeout: 120_000 }, async () => {
  const { byThis, byEarlier } = await setUp();
  const dir = await byEarlier();
  const [manifest, fetched] = [await manifestOf(dir), cdnBytes()];
  expect(await byThis()).toEqual(dir);
  expect(cdnBytes()).toBe(fetched);
  expect(await manifestOf(dir)).toBe(manifest);
});

test(
  'release 0.1.0 takes a Dir of this one for a hit, also after its etags were renewed',
  { timeout: 120_000 },
  async () => {
    const { byThis, byEarlier } = await setUp();
    const dir = await byThis();
    const [manifest, fetched] = [await manifestOf(dir), cdnBytes()];
    expect(await byEarlier()).toEqual(dir);
    expect(await manifestOf(dir)).toBe(manifest);
    await utimes(join(fileURLToPath(dir.path), 'model.safetensors'), 1, 1);
    const renewed = await byThis();
    const written = await manifestOf(renewed);
    expect(await byEarlier()).toEqual(renewed);
    expect(await manifestOf(renewed)).toBe(written);
    expect(cdnBytes()).toBe(fetched);
  }
);

describe('what one of them left unfinished', () => {
  test.each([
    ['release 0.1.0', 'this one', true],
    ['this one', 'release 0.1.0', false],
  ])('is gone on with: begun by %s, ended by %s', { timeout: 120_000 }, async (_first, _second, earlierFirst) => {
    const setup = await setUp();
    slow = true;
    const base = cdnBytes();
    const first = earlierFirst ? setup.startEarlier() : setup.startThis();
    await until(
      () => first.child.exitCode !== null || cdnBytes() - base > 0.7 * WEIGHT_BYTES,
      'most of the bytes',
      60_000
    );
    first.killGroup();
    expect((await first.ended).signal).toBe('SIGKILL');
    slow = false;
    const dir = await (earlierFirst ? setup.byThis() : setup.byEarlier());
    expect(cdnBytes() - base).toBeLessThan(1.8 * WEIGHT_BYTES);
    expect(await (earlierFirst ? setup.byEarlier() : setup.byThis())).toEqual(dir);
    expect(await readdir(join(fileURLToPath(dir.path), '.prefetch'))).toEqual(['manifest.json']);
  });
});

test('each takes shards of the other for a hit', { timeout: 120_000 }, async () => {
  const { folder: place, model } = await checkpointFolder();
  const shard = async (name: string, program?: string): Promise<Dir> => {
    const args = ['shard', model, '--to', join(place, name), '--tensor-parallel-size', '2'];
    const { code, stdout, stderr } = await runCli(args, {}, program);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout) as Dir;
  };
  for (const [name, first, second] of [
    ['a', earlier, undefined],
    ['b', undefined, earlier],
  ] as const) {
    const dir = await shard(name, first);
    const manifest = await manifestOf(dir);
    expect(await shard(name, second)).toEqual(dir);
    expect(await manifestOf(dir)).toBe(manifest);
  }
});

/** Slow enough to be killed in the middle. */
async function* paced(chunks: BodyChunks): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += 256 * 1024) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      yield chunk.subarray(start, start + 256 * 1024);
    }
  }
}
