import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  checkRepoAccess,
  fileDownloadInfo,
  listFiles,
  modelInfo,
  pathsInfo,
  snapshotDownload,
  whoAmI,
} from '@huggingface/hub';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startDevHub, type DevHub, type DevHubOptions, type DevRepo } from '../../src/dev-hub/index.js';
import { seededContent } from '../../src/dev-hub/seeded-content.js';
import { pythonHub, pythonHubEnvironment } from '../helpers/python-hub.js';

const run = promisify(execFile);
const token = 'hf_good';
const big = { size: 3_000_001, seed: 'big' };
const older = { 'config.json': text('{"old":true}') };
const plain = {
  'config.json': text('{"model_type":"llama"}'),
  'model.safetensors': big,
  'deep/er/est/model-00001-of-00002.safetensors': { size: 20, seed: 'small weights' },
  'deep/er/notes.txt': text('notes'),
  'with space/a b.txt': text('space'),
  'umlaut/größe 模型.json': text('{"unicode":"😀"}'),
  'empty.txt': text(''),
  'empty.bin': text(''),
};
/** The JavaScript client does not encode paths: of these it asks for something else. */
const encoded = { 'sharp#1.txt': text('sharp'), '100%25 sure.txt': text('percent'), 'q?x=1&y.txt': text('query') };
const repos: readonly DevRepo[] = [
  {
    id: 'owner/model',
    commits: [{ files: older }, { files: { ...plain, ...encoded } }],
    branches: { main: 1, old: 0, 'refs/pr/1': 0 },
    tags: { 'v1.0': 0 },
  },
  { id: 'owner/plain', commits: [{ files: plain }] },
  { id: 'datasets/owner/plain', commits: [{ files: { ...plain, 'data.csv': text('a,b') } }] },
  { id: 'owner/gated', gated: 'manual', commits: [{ files: plain }] },
  { id: 'owner/secret', private: true, commits: [{ files: older }] },
];

let home: string;
let hub: DevHub | undefined;

const { debug } = console;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'dev-hub-clients-'));
  // @huggingface/hub writes a line for every file.
  console.debug = () => undefined;
  await pythonHub();
}, 600_000);
afterAll(async () => {
  console.debug = debug;
  await rm(home, { recursive: true, force: true });
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

describe.each<DevHubOptions['smallFiles'] & string>(['direct', 'redirect'])('with small files by %s', (smallFiles) => {
  test('hf download fetches every file of a repo, byte for byte', async ({ skip }) => {
    const hub = await start({ smallFiles });
    const folder = await hfDownload(skip, { args: ['owner/model'], name: `all-${smallFiles}` });
    await expectFiles(folder, { ...plain, ...encoded });
    expect(
      hub.requests.filter(({ origin }) => origin === 'cdn').map(({ hadAuthorization }) => hadAuthorization)
    ).toEqual([false, false]);
  });

  test('@huggingface/hub fetches every file of a repo, byte for byte', async () => {
    const hub = await start({ smallFiles });
    const folder = await snapshotDownload({
      repo: 'owner/plain',
      hubUrl: hub.url,
      cacheDir: join(home, `js-${smallFiles}`),
    });
    await expectFiles(folder, plain);
  });
});

describe('hf download', () => {
  test('fetches a data set, which is not the model of its name', async ({ skip }) => {
    await start();
    const folder = await hfDownload(skip, { args: ['owner/plain', '--repo-type', 'dataset'], name: 'data' });
    await expectFiles(folder, { ...plain, 'data.csv': text('a,b') });
  });

  test.for(['v1.0', 'old', 'refs/pr/1'])('takes the revision %s', async (revision, { skip }) => {
    await start();
    const args = ['owner/model', '--revision', revision];
    const folder = await hfDownload(skip, { args, name: revision.replaceAll('/', '-') });
    await expectFiles(folder, older);
  });

  test('reads a gated and a private repo with a token that was granted access', async ({ skip }) => {
    await start();
    await expectFiles(await hfDownload(skip, { args: ['owner/gated'], name: 'gated', token }), plain);
    await expectFiles(await hfDownload(skip, { args: ['owner/secret'], name: 'secret', token }), older);
  });

  test.for<[string, string | undefined, RegExp]>([
    ['owner/gated', 'hf_other', /gated|restricted|GatedRepo/i],
    ['owner/gated', undefined, /gated|restricted|GatedRepo/i],
    ['owner/secret', 'hf_other', /not found|RepositoryNotFound/i],
    ['owner/secret', undefined, /not found|RepositoryNotFound/i],
    ['owner/plain', 'hf_bad', /Invalid/i],
  ])('says why it may not read %s with the token %s', async ([repo, bad, message], { skip }) => {
    await start();
    const download = hfDownload(skip, {
      args: [repo],
      name: `refused-${repo.replace('/', '-')}-${bad ?? 'anonymous'}`,
      ...(bad === undefined ? {} : { token: bad }),
    });
    await expect(download).rejects.toThrow(message);
  });

  test('verifies what it has downloaded against the digests of the listing', async ({ skip }) => {
    await start();
    const folder = await hfDownload(skip, { args: ['owner/plain'], name: 'verified' });
    const { stdout, stderr } = await hf(skip, { args: ['cache', 'verify', 'owner/plain', '--local-dir', folder] });
    expect(`${stdout}${stderr}`).toMatch(/8 file/i);
  });

  test('waits for the window to end when the quota is used up', async ({ skip }) => {
    const hub = await start({ rateLimit: { quota: 8, windowSeconds: 2 } });
    await expectFiles(await hfDownload(skip, { args: ['owner/plain'], name: 'limited' }), plain);
    expect(hub.requests.some(({ status }) => status === 429)).toBe(true);
  });
});

describe('@huggingface/hub', () => {
  test('fetches a data set', async () => {
    const hub = await start();
    const repo = { type: 'dataset', name: 'owner/plain' } as const;
    const folder = await snapshotDownload({ repo, hubUrl: hub.url, cacheDir: join(home, 'js-data') });
    await expectFiles(folder, { ...plain, 'data.csv': text('a,b') });
  });

  test('pins a commit, lists pages, stats paths and tells who one is', async () => {
    const { url, commitOf } = await start();
    const common = { hubUrl: url, accessToken: token, repo: 'owner/model' };
    const info = await modelInfo({ hubUrl: url, name: 'owner/model', additionalFields: ['sha'] });
    expect(info.sha).toBe(commitOf('owner/model', 'main'));
    const paths: string[] = [];
    for await (const entry of listFiles({ ...common, recursive: true })) {
      if (entry.type === 'file') paths.push(entry.path);
    }
    expect(paths).toEqual(Object.keys({ ...plain, ...encoded }).sort());
    const stats = await pathsInfo({ ...common, paths: ['config.json', 'nowhere', 'model.safetensors'] });
    expect(stats.map(({ path, size }) => [path, size])).toEqual([
      ['config.json', 22],
      ['model.safetensors', big.size],
    ]);
    expect(await whoAmI({ hubUrl: url, accessToken: token })).toMatchObject({ name: 'tester', type: 'user' });
  });

  test('is told size and digest of large, small and empty files', async () => {
    const { url } = await start();
    const info = async (path: string) => fileDownloadInfo({ hubUrl: url, repo: 'owner/plain', path });
    expect(await info('model.safetensors')).toMatchObject({ size: big.size });
    expect(await info('config.json')).toMatchObject({ size: 22 });
    expect(await info('empty.txt')).toMatchObject({ size: 0 });
    expect(await info('missing.txt')).toBeNull();
  });

  test('is let see a gated repo, but not a private one', async () => {
    const { url } = await start();
    await checkRepoAccess({ hubUrl: url, repo: 'owner/gated' });
    await expect(checkRepoAccess({ hubUrl: url, repo: 'owner/secret' })).rejects.toMatchObject({ statusCode: 401 });
  });
});

async function start(options: Partial<DevHubOptions> = {}): Promise<DevHub> {
  const tokens = { [token]: { name: 'tester' }, hf_other: { name: 'other', repos: [] } };
  hub = await startDevHub({ repos, tokens, pageSize: 3, ...options });
  return hub;
}

type Skip = (note: string) => unknown;

async function hf(skip: Skip, { args, token }: { args: readonly string[]; token?: string }) {
  const python = await pythonHub();
  if (python === undefined) skip('no Python');
  const environment = { url: hub?.url ?? '', home, ...(token === undefined ? {} : { token }) };
  return run(python?.hf ?? '', [...args], { env: pythonHubEnvironment(environment), timeout: 60_000 });
}

async function hfDownload(
  skip: Skip,
  { args, name, token }: { args: readonly string[]; name: string; token?: string }
) {
  const folder = join(home, 'downloads', name);
  await hf(skip, { args: ['download', ...args, '--local-dir', folder], ...(token === undefined ? {} : { token }) });
  return folder;
}

function text(content: string) {
  return { bytes: Buffer.from(content) };
}

async function expectFiles(folder: string, files: Readonly<Record<string, DevRepo['commits'][0]['files'][string]>>) {
  for (const [path, file] of Object.entries(files)) {
    const right = 'seed' in file ? await seeded(file) : 'bytes' in file ? Buffer.from(file.bytes) : undefined;
    expect((await readFile(join(folder, path))).equals(right ?? Buffer.from('?')), path).toBe(true);
  }
}

async function seeded(file: { size: number; seed: string }) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of seededContent(file).chunks(0, file.size)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
