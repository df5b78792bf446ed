import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { readSettings } from '../../../src/config/environment.js';
import type { Role } from '../../../src/core/queues.js';
import { startDevHub, type DevHub } from '../../../src/dev-hub/index.js';
import { checkWorker } from '../../../src/worker/checks/check-worker.js';
import { startServer } from '../../helpers/local-server.js';
import { useTemporalServer } from '../../helpers/temporal.js';
import { tmpFolder } from '../../helpers/tmp.js';

const server = useTemporalServer();
let hub: DevHub;
let home: string;

beforeAll(async () => {
  hub = await startDevHub({
    repos: [{ id: 'org/tiny', commits: [{ files: { 'config.json': { bytes: new TextEncoder().encode('{}') } } }] }],
    tokens: { hf_good: { name: 'me' } },
  });
});
afterAll(() => hub.close());
beforeEach(async () => {
  home = await tmpFolder();
  for (const name of Object.keys(process.env)) if (name.startsWith('HF_')) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a worker that has all it needs', () => {
  test('hears what was checked, and nothing is left in its store', async () => {
    vi.stubEnv('HF_TOKEN', 'hf_good');
    const { checked, warnings } = await check({});
    expect(warnings).toEqual([]);
    expect(checked).toEqual([
      'Temporal namespace default',
      `store file://${home}/store/`,
      'tokens HF_TOKEN',
      `Hub ${hub.url}`,
    ]);
  });

  test.each<[Role, Record<string, string>]>([
    ['wait', { MODEL_PREFETCH_STORE: '', HF_ENDPOINT: 'http://127.0.0.1:9' }],
    ['shard', { HF_ENDPOINT: 'http://127.0.0.1:9' }],
  ])('is asked for nothing that the role %s does without', async (role, environment) => {
    await check(environment, [role]);
  });

  test.each([500, 503, 429])('starts while the Hub answers %i, with a warning', async (status) => {
    const { warnings } = await check({ HF_ENDPOINT: await answering(status) });
    expect(warnings).toEqual([expect.stringMatching(/unwell.*only what is published is served/)]);
  });

  test('has a Hub behind a login, which its token opens, or hears that nothing tells', async () => {
    const mirror = await startServer(({ url, headers }, response) => {
      if (url === '/login') response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>Sign in');
      else if (headers.authorization === 'Bearer hf_good') response.writeHead(200).end('{"name":"me"}');
      else response.writeHead(302, { Location: '/login' }).end();
    });
    onTestFinished(() => mirror.close());
    const { warnings } = await check({ HF_ENDPOINT: mirror.origin });
    expect(warnings).toEqual([expect.stringMatching(/^Nothing tells whether .*behind a redirect/)]);
    vi.stubEnv('HF_TOKEN', 'hf_good');
    expect(await check({ HF_ENDPOINT: mirror.origin })).toMatchObject({ warnings: [] });
  });

  test('may have further roots alone, and is warned of one that cannot be used', async () => {
    const roots = `${home}/store,ftp://host/models`;
    const { warnings } = await check({ MODEL_PREFETCH_STORE: '', MODEL_PREFETCH_ALLOWED_ROOTS: roots });
    expect(warnings).toEqual([expect.stringMatching(/^UnsupportedStore: MODEL_PREFETCH_ALLOWED_ROOTS ftp:/)]);
  });
});

describe('a worker that could only fail its tasks does not start', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['no store', { MODEL_PREFETCH_STORE: '' }, /^DestinationNotAllowed: .*set MODEL_PREFETCH_STORE/],
    ['a store of no kind', { MODEL_PREFETCH_STORE: 'gs://b/x' }, /^UnsupportedStore: MODEL_PREFETCH_STORE gs:/],
    ['a folder that is not shared', { MODEL_PREFETCH_SHARED_FILES: '' }, /^DestinationNotAllowed: .*SHARED_FILES/],
    ['a folder that is not mounted', { MODEL_PREFETCH_STORE: '/absent/a/b' }, /^StoreAccessDenied: .*\/absent\/a/],
    ['a folder of the system', { MODEL_PREFETCH_STORE: '/proc/models' }, /MODEL_PREFETCH_STORE file:\/\/\/proc/],
    [
      'nothing but roots that cannot be used',
      { MODEL_PREFETCH_STORE: '', MODEL_PREFETCH_ALLOWED_ROOTS: 'ftp://host/models' },
      /^UnsupportedStore: MODEL_PREFETCH_ALLOWED_ROOTS/,
    ],
    ['a Hub that is not there', { HF_ENDPOINT: 'http://127.0.0.1:9' }, /^HubUnavailable: .*HF_ENDPOINT/],
    [
      'a scratch folder that cannot be made',
      { MODEL_PREFETCH_TRANSFER: 'download-upload', MODEL_PREFETCH_SCRATCH: '/proc/scratch/a' },
      /: MODEL_PREFETCH_SCRATCH: \/proc\/scratch/,
    ],
    ['a secret that is missing', { MODEL_PREFETCH_TOKEN_KEYS: 'HF_TOKEN,TEAM' }, /^TokenNotFound: .*"TEAM"/],
    [
      'a secrets folder that is missing',
      { MODEL_PREFETCH_SECRETS_DIR: '/absent' },
      /^TokenNotFound: MODEL_PREFETCH_SEC/,
    ],
  ])('with %s', async (_name, environment, expected) => {
    await expect(check(environment)).rejects.toThrow(expected);
  });

  test('with a token for the name of one, which is not printed', async () => {
    const token = `hf_${'aBcD1234'.repeat(4)}`;
    const failing = check({ MODEL_PREFETCH_TOKEN_KEYS: `HF_TOKEN,${token}` });
    await expect(failing).rejects.toThrow(/^InvalidInput: MODEL_PREFETCH_TOKEN_KEYS: /);
    await expect(failing).rejects.not.toThrow(token);
  });

  test('with a token that the Hub refuses', async () => {
    vi.stubEnv('HF_TOKEN', 'hf_bad');
    await expect(check({})).rejects.toThrow(/^InvalidToken: HF_TOKEN: /);
  });

  test('with a secret file that is empty', async () => {
    await mkdir(join(home, 'secrets'));
    await writeFile(join(home, 'secrets', 'HF_TOKEN'), '\n');
    await expect(check({ MODEL_PREFETCH_SECRETS_DIR: join(home, 'secrets') })).rejects.toThrow(
      /^TokenNotFound: .*empty/
    );
  });

  test('with a store for a Hub', async () => {
    const xml = await startServer((_request, response) =>
      response.writeHead(404, { 'Content-Type': 'application/xml' }).end('<Error/>')
    );
    onTestFinished(() => xml.close());
    await expect(check({ HF_ENDPOINT: xml.origin })).rejects.toThrow(/^HubProtocol: .*HF_ENDPOINT/);
  });

  test('with a namespace that is not there', async () => {
    await expect(check({}, ['wait'], { namespace: 'nope' })).rejects.toThrow(/^NamespaceNotFound: .*"nope"/);
  });

  test('with a Python for vLLM that is missing, or has none', async () => {
    await expect(check({ MODEL_PREFETCH_PYTHON: '/absent/python' }, ['gpu'])).rejects.toThrow(
      /^VllmUnavailable: MODEL_PREFETCH_PYTHON: \/absent\/python cannot be started/
    );
    const python = join(home, 'python');
    await writeFile(python, '#!/bin/sh\nexit 3\n');
    await chmod(python, 0o755);
    await expect(check({ MODEL_PREFETCH_PYTHON: python }, ['gpu'])).rejects.toThrow(/has no package vllm/);
  });

  test('and hears of everything at once', async () => {
    const failing = check({ MODEL_PREFETCH_STORE: 'gs://b/x', HF_ENDPOINT: 'http://127.0.0.1:9' });
    await expect(failing).rejects.toThrow(/^UnsupportedStore: [^\n]*\nHubUnavailable: [^\n]*$/);
  });
});

test('a Hub that comes up meanwhile is waited for', async () => {
  const port = await freePort();
  const starting = vi.fn();
  const late = async (text: string) => {
    starting(text);
    const again = await startDevHub({ repos: [], port });
    onTestFinished(() => again.close());
  };
  const settings = settingsOf({ HF_ENDPOINT: `http://127.0.0.1:${String(port)}` });
  const options = { settings, roles: ['main'] as const, connection: server().nativeConnection };
  const checked = await checkWorker({ ...options, warn: (text) => void late(text) });
  expect(starting).toHaveBeenCalledWith(expect.stringContaining('tried again for 30 s'));
  expect(checked).toContain(`Hub ${settings.hubEndpoint}`);
});

test('ends at once when it is told to stop', async () => {
  const stop = new AbortController();
  const settings = settingsOf({ HF_ENDPOINT: 'http://127.0.0.1:9' });
  const options = { settings, roles: ['main'] as const, connection: server().nativeConnection, signal: stop.signal };
  const reason = new Error('stop');
  const checking = checkWorker({
    ...options,
    warn: () => {
      stop.abort(reason);
    },
  });
  await expect(checking).rejects.toBe(reason);
});

function settingsOf(environment: Record<string, string>) {
  return readSettings({
    HOME: home,
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_STORE: join(home, 'store'),
    MODEL_PREFETCH_SHARED_FILES: 'true',
    ...environment,
  });
}

async function check(
  environment: Record<string, string>,
  roles: readonly Role[] = ['main', 'transfer', 'wait', 'shard'],
  more: { readonly namespace?: string } = {}
) {
  const warnings: string[] = [];
  const checked = await checkWorker({
    settings: settingsOf(environment),
    roles,
    connection: server().nativeConnection,
    warn: (text) => void warnings.push(text),
    patienceMs: 0,
    ...more,
  });
  const stored = await readdir(join(home, 'store'), { recursive: true }).catch(() => []);
  expect(stored.filter((name) => !name.startsWith('.model-prefetch'))).toEqual([]);
  return { checked, warnings };
}

async function answering(status: number): Promise<string> {
  const unwell = await startServer((_request, response) => response.writeHead(status).end('{}'));
  onTestFinished(() => unwell.close());
  return unwell.origin;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
