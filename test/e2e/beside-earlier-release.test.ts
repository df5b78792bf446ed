import { readFile, readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dir, Manifest } from '../../src/core/contract.js';
import type { DryRun } from '../../src/steps/dry-run.js';
import { startDevHub, type BodyChunks, type DevHub } from '../../src/dev-hub/index.js';
import { checkpointFolder } from '../cli/checkpoint-folder.js';
import { runCli, startCli } from '../helpers/cli.js';
import { installEarlierRelease } from '../helpers/earlier-release.js';
import { until } from '../helpers/local-server.js';
import { smallModel } from '../helpers/models.js';
import { createTmpFolder, removeFolder, tmpFolder } from '../helpers/tmp.js';

const WEIGHT_BYTES = 32 * 1024 * 1024;

const text = (value: string) => ({ bytes: new TextEncoder().encode(value) });
const mistralFiles = {
  'config.json': text('{}'),
  'params.json': text('{"dim":1}'),
  'trainer_state.json': text('{"step":1}'),
  'tokenizer.model': text('v1'),
  'tokenizer.model.v3': text('v3'),
  'sparse_linear.pt': { size: 3_000_000, seed: 'sparse' },
  'model.safetensors': { size: 2_000_000, seed: 'hf' },
  'consolidated.safetensors': { size: 2_000_000, seed: 'mistral' },
};

let hub: DevHub;
let slow = false;
let folder: string;
let earlier: string;

beforeAll(async () => {
  folder = await createTmpFolder();
  earlier = await installEarlierRelease(folder);
  hub = await startDevHub({
    repos: [
      { id: 'org/model', commits: [smallModel({ weightBytes: WEIGHT_BYTES })] },
      { id: 'org/mistral', commits: [{ files: mistralFiles }] },
    ],
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
    asThis: (argv: readonly string[]) => bring(argv, now),
    asEarlier: (argv: readonly string[]) => bring(argv, then, earlier),
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

test(
  'a Dir of selection vllm of release 0.1.0 is completed in place, and then a hit for both',
  { timeout: 120_000 },
  async () => {
    const { asThis, asEarlier } = await setUp();
    const selected = ['org/mistral', '--selection', 'vllm', '--output', 'json'];
    const dir = await asEarlier(['hf-model', ...selected]);
    const before = JSON.parse(await manifestOf(dir)) as Manifest;
    expect(before.files.map(({ path }) => path)).not.toContain('tokenizer.model.v3');
    const planned = (await asThis(['plan', ...selected])) as unknown as DryRun;
    expect(planned.completes).toEqual(dir);
    expect(
      planned.files
        .filter(({ state }) => state === 'fetch')
        .map(({ path }) => path)
        .sort()
    ).toEqual(['sparse_linear.pt', 'tokenizer.model.v3']);
    expect(planned.selection).toMatchObject({ weights: 'safetensors' });
    const fetched = cdnBytes();
    const completed = await asThis(['hf-model', ...selected]);
    expect(completed).toMatchObject({ path: dir.path, fileCount: 7 });
    expect(cdnBytes() - fetched).toBe(3_000_000);
    const after = JSON.parse(await manifestOf(completed)) as Manifest;
    const named = new Set(before.files.map(({ path }) => path));
    expect(named).toContain('trainer_state.json');
    expect(after.files.filter(({ path }) => named.has(path))).toEqual(before.files);
    expect(await asEarlier(['hf-model', ...selected])).toEqual(completed);
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
