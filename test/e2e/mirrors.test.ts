import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { startDevHub, type DevHub, type DevRepo } from '../../src/dev-hub/index.js';
import { openStore } from '../../src/storage/index.js';
import { startMirror, type Mirror } from '../helpers/mirror.js';
import { smallRepo } from '../helpers/models.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { useTemporalServer } from '../helpers/temporal.js';

const odd: DevRepo = {
  id: 'org/odd',
  commits: [
    {
      files: {
        'config.json': { bytes: Buffer.from('{}') },
        'empty.txt': { bytes: Buffer.from('') },
        'ünïcödé/a b#1%20.bin': { size: 3_000_001, seed: 'odd' },
      },
    },
  ],
};
const page = { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>Please sign in</html>' };

const server = useTemporalServer();
let hub: DevHub;
let mirror: Mirror;
let poorer: Mirror;
let platform: Platform;
let poor: Platform;

beforeAll(async () => {
  hub = await startDevHub({ repos: [smallRepo('org/small', { weightBytes: 9_000_001 }), odd] });
  mirror = await startMirror(hub.url);
  poorer = await startMirror(hub.url, { withoutDigest: ['model.safetensors'] });
  platform = await startPlatform(server(), { settings: { hubEndpoint: mirror.origin } });
  poor = await startPlatform(server(), { settings: { hubEndpoint: poorer.origin } });
});

afterEach(() => {
  mirror.instead = undefined;
});

afterAll(async () => {
  await Promise.all([platform.stop(), poor.stop()]);
  await Promise.all([mirror.close(), poorer.close(), hub.close()]);
});

test.each(['org/small', 'org/odd'])('%s arrives byte for byte from a mirror that has only files', async (repo) => {
  const commit = hub.commitOf(repo, 'main');
  const dir = await platform.prefetch({ repo });
  expect(dir).toMatchObject({ repo, commit });
  const expected = await filesOf(repo, commit);
  expect(dir.fileCount).toBe(expected.size);
  expect(await filesIn(dir)).toEqual(expected);
});

test('only the files that are wanted are asked for their digests', async () => {
  mirror.asked.length = 0;
  await platform.prefetch({ repo: 'org/small', include: ['*.json'] });
  expect(mirror.asked.filter((asked) => asked.startsWith('HEAD') && !asked.endsWith('.json'))).toEqual([]);
});

test('a file that has no digest there is refused by its name, and nothing is published', async () => {
  await expect(poor.prefetch({ repo: 'org/small' })).rejects.toMatchObject({
    code: 'HubProtocol',
    message: expect.stringMatching(/says no digest of "model\.safetensors" of org\/small@/) as string,
  });
  const dir = await poor.prefetch({ repo: 'org/small', exclude: ['*.safetensors'] });
  expect([...(await filesIn(dir)).keys()]).not.toContain('model.safetensors');
});

test('a pinned Dir is served while a portal answers everything, and nothing else is waited for', async () => {
  const dir = await platform.prefetch({ repo: 'org/odd' });
  mirror.instead = page;
  const pinned = { repo: 'org/odd', revision: dir.commit.toUpperCase() };
  await expect(platform.prefetch(pinned)).resolves.toEqual({ ...dir, revision: pinned.revision });
  const failures = await Promise.allSettled([
    platform.prefetch({ repo: 'org/odd', include: ['*'], revision: dir.commit }),
    platform.prefetch({ repo: 'org/odd', force: 1 }),
  ]);
  for (const failure of failures) {
    expect(failure).toMatchObject({
      reason: {
        code: 'HubProtocol',
        message: expect.stringMatching(/expected JSON, got "text\/html".*HF_ENDPOINT/) as string,
      },
    });
  }
  mirror.instead = { status: 429, headers: { 'Retry-After': '3600' }, body: '' };
  await expect(platform.prefetch({ repo: 'org/odd', revision: dir.commit })).resolves.toMatchObject({ path: dir.path });
});

/** What the Hub itself has, by path. */
async function filesOf(repo: string, commit: string): Promise<Map<string, string>> {
  const listing = await fetch(`${hub.url}/api/models/${repo}/tree/${commit}?recursive=true`);
  const entries = (await listing.json()) as { type: string; path: string }[];
  const files = entries.filter(({ type }) => type === 'file').map(({ path }) => path);
  const bytes = await Promise.all(
    files.map(async (path) => {
      const url = `${hub.url}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
      return [path, sha256(Buffer.from(await (await fetch(url)).arrayBuffer()))] as const;
    })
  );
  return sorted(bytes);
}

async function filesIn(dir: Dir): Promise<Map<string, string>> {
  const store = await openStore(dir.path);
  const files: [string, string][] = [];
  for await (const { key } of store.list('')) {
    if (key !== '.prefetch/manifest.json') files.push([key, sha256((await store.get(key)) ?? Buffer.from('gone'))]);
  }
  await store.close();
  return sorted(files);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function sorted(files: readonly (readonly [string, string])[]): Map<string, string> {
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}
