import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { manifestSchema } from '../../src/core/schemas/manifest.js';
import type { DevFile, DevRepo } from '../../src/dev-hub/index.js';
import { openStore, type ObjectStore } from '../../src/storage/index.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { pythonHub, pythonHubEnvironment } from '../helpers/python-hub.js';
import { realCheckpoint } from '../helpers/real-checkpoint.js';
import { describeWithS3, startMinio, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';

const run = promisify(execFile);
const MANY = 20_000;

const bytes = (text: string): DevFile => ({ bytes: new TextEncoder().encode(text) });

const odd: DevRepo = {
  id: 'org/odd-names',
  commits: [
    {
      files: {
        'config.json': bytes('{}'),
        'with space/and more/file name.txt': bytes('space'),
        'hash#tag.txt': bytes('hash'),
        'percent%41 100%.txt': bytes('percent'),
        'plus+and&amp;=?.txt': bytes('plus'),
        'ünïcödé/模型/🤗.bin': { size: 3_000_001, seed: 'unicode' },
        'quote\'and"double.json': bytes('quote'),
        [`deep/${Array.from({ length: 30 }, (_, level) => `d${String(level)}`).join('/')}/leaf.txt`]: bytes('deep'),
        'empty.txt': bytes(''),
        'empty/also.safetensors': bytes(''),
        '.hidden': bytes('dot'),
        '~tilde.txt': bytes('tilde'),
        'weights/part-exact.bin': { size: 16 * 1024 * 1024, seed: 'exact' },
        'weights/part-plus-one.bin': { size: 16 * 1024 * 1024 + 1, seed: 'plus-one' },
      },
    },
  ],
};

const many: DevRepo = {
  id: 'org/many-files',
  commits: [
    {
      files: Object.fromEntries(
        Array.from({ length: MANY }, (_, n) => [
          `data/${String(n % 100)}/file-${String(n)}.json`,
          bytes(`{"n":${String(n)}}`),
        ])
      ),
    },
  ],
};

const server = useTemporalServer();
let platform: Platform;
let real: Awaited<ReturnType<typeof realCheckpoint>>;

beforeAll(async () => {
  real = await realCheckpoint();
  const { folder = '', files = [] } = real ?? {};
  const checkpoint = Object.fromEntries(files.map((path) => [path, { file: join(folder, path) }]));
  platform = await startPlatform(server(), {
    repos: [odd, many, { id: 'org/real', commits: [{ files: { ...checkpoint, 'README.md': bytes('# Real\n') } }] }],
  });
});

afterAll(() => platform.stop());

describe('on file://', () => {
  test('odd names, empty files and deep folders arrive as the official client fetches them', async () => {
    await sameAsOfficialClient(await platform.prefetch({ repo: odd.id }), odd.id);
  });

  test('a real checkpoint arrives as the official client fetches it', async () => {
    await sameAsOfficialClient(await platform.prefetch({ repo: 'org/real' }), 'org/real');
  });

  test('20,000 small files arrive, over several runs of the workflow', { timeout: 300_000 }, async () => {
    await everyFileArrived(await platform.prefetch({ repo: many.id }), many);
  });
});

describeWithS3('on S3', () => {
  describe.each([
    ['versitygw', () => startVersitygw()],
    ['minio', () => startMinio()],
  ])('%s', (name, start) => {
    let s3: S3Server;

    beforeAll(async () => {
      s3 = await start();
      // The store reads the standard AWS environment, in this process that of the worker.
      Object.assign(process.env, s3.env);
    });

    afterAll(() => s3.stop());

    test('odd names, empty files and deep folders arrive as the official client fetches them', async () => {
      const dir = await platform.prefetch({ repo: odd.id, rawDataPath: `s3://${s3.bucket}/${name}` });
      await sameAsOfficialClient(dir, odd.id);
    });

    test('a real checkpoint arrives as the official client fetches it', async () => {
      const dir = await platform.prefetch({ repo: 'org/real', rawDataPath: `s3://${s3.bucket}/${name}` });
      await sameAsOfficialClient(dir, 'org/real');
    });

    test.runIf(name === 'versitygw')('20,000 small files arrive', { timeout: 600_000 }, async () => {
      await everyFileArrived(
        await platform.prefetch({ repo: many.id, rawDataPath: `s3://${s3.bucket}/${name}` }),
        many
      );
    });
  });
});

/** Every file that `hf download` fetches lies in the Dir with the same bytes, and nothing else does. */
async function sameAsOfficialClient(dir: Dir, repo: string): Promise<void> {
  const official = await pythonHub();
  if (official === undefined) return;
  const folder = await tmpFolder();
  const env = pythonHubEnvironment({ url: platform.hub.url, home: join(folder, 'home') });
  await run(official.hf, ['download', repo, '--local-dir', join(folder, 'files')], { env, timeout: 120_000 });
  const expected = await digestsOf(join(folder, 'files'));
  expect(await digestsInStore(dir)).toEqual(expected);
}

async function digestsOf(folder: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(folder.length + 1);
    if (!entry.isFile() || path.startsWith('.cache/')) continue;
    digests.set(path, sha256(await readFile(join(folder, path))));
  }
  return sorted(digests);
}

async function digestsInStore(dir: Dir): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const store = await openStore(dir.path);
  for await (const { key } of store.list('')) {
    if (key !== '.prefetch/manifest.json') digests.set(key, sha256((await store.get(key)) ?? new Uint8Array()));
  }
  await store.close();
  return sorted(digests);
}

/** What each file holds, without the official client, which would take minutes for so many. */
async function everyFileArrived(dir: Dir, repo: DevRepo): Promise<void> {
  const files = repo.commits[0]?.files ?? {};
  expect(dir.fileCount).toBe(Object.keys(files).length);
  const store = await openStore(dir.path);
  const keys: string[] = [];
  for await (const { key } of store.list('')) keys.push(key);
  expect(new Set(keys)).toEqual(new Set([...Object.keys(files), '.prefetch/manifest.json']));
  for (const path of Object.keys(files).filter((_, position) => position % 500 === 0)) {
    expect(await contentOf(store, path)).toBe(contentIn(files[path]));
  }
  const manifest = manifestSchema.parse(JSON.parse((await contentOf(store, '.prefetch/manifest.json')) ?? ''));
  const digests = new Map(manifest.files.map(({ path, gitSha1 }) => [path, gitSha1]));
  for (const [path, file] of Object.entries(files)) expect(digests.get(path)).toBe(gitSha1(contentIn(file)));
  await store.close();
}

async function contentOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const found = await store.get(key);
  return found === undefined ? undefined : new TextDecoder().decode(found);
}

function contentIn(file: DevFile | undefined): string {
  return file !== undefined && 'bytes' in file ? new TextDecoder().decode(file.bytes) : '';
}

function gitSha1(text: string): string {
  return createHash('sha1')
    .update(`blob ${String(Buffer.byteLength(text))}\0${text}`)
    .digest('hex');
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function sorted(digests: Map<string, string>): Map<string, string> {
  return new Map([...digests].sort(([a], [b]) => (a < b ? -1 : 1)));
}
