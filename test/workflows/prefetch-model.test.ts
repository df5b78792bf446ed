import { createHash } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isPrefetchError, type ErrorCode } from '../../src/core/errors.js';
import { manifestSchema } from '../../src/core/schemas/manifest.js';
import type { Dir } from '../../src/core/contract.js';
import { smallModel, smallRepo } from '../helpers/models.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { useTemporalServer } from '../helpers/temporal.js';

const server = useTemporalServer();
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform(server(), {
    repos: [
      smallRepo('org/small'),
      smallRepo('org/shared', { seed: 'shared' }),
      smallRepo('org/twice', { seed: 'twice' }),
      { id: 'org/moving', commits: [smallModel({ seed: 'one' }), movedCommit()], branches: { main: 0 } },
      smallRepo('org/forced', { seed: 'forced' }),
      smallRepo('org/pinned', { seed: 'pinned' }),
      smallRepo('org/gated', { gated: 'manual' }),
      smallRepo('org/selected', { seed: 'selected' }),
    ],
    tokens: { hf_good: { name: 'someone' }, hf_other: { name: 'other', repos: [] } },
  });
});

afterAll(() => platform.stop());

describe('prefetchModel', () => {
  test('brings every file of the commit, byte for byte, and publishes a manifest that lists them', async () => {
    const dir = await platform.prefetch({ repo: 'org/small' });
    const commit = platform.hub.commitOf('org/small', 'main');
    expect(dir).toMatchObject({ repo: 'org/small', revision: 'main', commit, artifactName: 'small', fileCount: 6 });
    expect(dir.path).toBe(`file://${platform.folder}/small/${commit}/`);
    const manifest = await readManifest(dir);
    expect(manifest.files.map(({ path }) => path).sort()).toEqual(Object.keys(smallModel().files).sort());
    for (const file of manifest.files) {
      const bytes = await readFile(fileURLToPath(`${dir.path}${file.path}`));
      expect(bytes.length).toBe(file.size);
      expect(digests(bytes)).toContain(file.sha256 ?? file.gitSha1);
    }
    expect(dir.manifestDigest).toBe(`sha256:${sha256(await readFile(fileURLToPath(dir.manifestPath)))}`);
  });

  test('leaves nothing in the Dir but the files and the manifest', async () => {
    const dir = await platform.prefetch({ repo: 'org/small' });
    await expect(stat(fileURLToPath(`${dir.path}.prefetch`))).resolves.toBeDefined();
    const { readdir } = await import('node:fs/promises');
    expect(await readdir(fileURLToPath(`${dir.path}.prefetch`))).toEqual(['manifest.json']);
  });

  test('serves a second run from the store, with no byte from the CDN', async () => {
    const first = await platform.prefetch({ repo: 'org/small' });
    const before = platform.hub.requests.filter(isBytes).length;
    expect(await platform.prefetch({ repo: 'org/small' })).toEqual(first);
    expect(platform.hub.requests.filter(isBytes)).toHaveLength(before);
  });

  test('lets three callers at once share one run', async () => {
    const [one, two, three] = await Promise.all(
      [1, 2, 3].map(() => platform.client.start({ repo: 'org/shared', hfTokenKey: 'HF_TOKEN' }))
    );
    const dirs = await Promise.all([one?.result(), two?.result(), three?.result()]);
    expect(new Set(dirs.map((dir) => JSON.stringify(dir))).size).toBe(1);
    const weights = platform.hub.requests.filter(
      ({ origin, path }) => origin === 'cdn' && path.includes('org/shared') && path.endsWith('model.safetensors')
    );
    const bytes = weights.reduce((total, { bytesSent }) => total + bytesSent, 0);
    expect(bytes).toBe(20_000_001);
  });

  test('gives one Dir to runs that have IDs of their own, as for a branch and the commit that it stands at', async () => {
    const repo = 'org/twice';
    const revision = platform.hub.commitOf(repo, 'main');
    const [branch, commit, named] = await Promise.all([
      platform.prefetch({ repo }),
      platform.prefetch({ repo, revision }),
      platform.prefetch({ repo, artifactName: 'twice', rawDataPath: `file://${platform.folder}` }),
    ]);
    expect(branch.commit).toBe(revision);
    expect([commit.path, named.path]).toEqual([branch.path, branch.path]);
  });

  test('fetches just the object that was deleted from a published Dir', async () => {
    const dir = await platform.prefetch({ repo: 'org/small' });
    await rm(fileURLToPath(`${dir.path}tokenizer/tokenizer.json`));
    const before = platform.hub.requests.length;
    expect((await platform.prefetch({ repo: 'org/small' })).path).toBe(dir.path);
    const fetched = platform.hub.requests.slice(before).filter(isBytes);
    expect(new Set(fetched.map(({ path }) => path.split('/').at(-1)))).toEqual(new Set(['tokenizer.json']));
    expect(await readFile(fileURLToPath(`${dir.path}tokenizer/tokenizer.json`), 'utf8')).toBe('{"version":"1.0"}');
  });

  test('notices a moved branch and copies what did not change inside the store', async () => {
    const old = await platform.prefetch({ repo: 'org/moving' });
    platform.hub.moveBranch('org/moving', 'main', 1);
    const before = platform.hub.requests.length;
    const fresh = await platform.prefetch({ repo: 'org/moving' });
    expect(fresh.commit).not.toBe(old.commit);
    const fetched = platform.hub.requests
      .slice(before)
      .filter(isBytes)
      .map(({ path }) => path.split('/').at(-1));
    expect(new Set(fetched)).toEqual(new Set(['README.md']));
    expect(await readFile(fileURLToPath(`${fresh.path}README.md`), 'utf8')).toBe('# Moved\n');
    expect(await fileDigest(fresh, 'model.safetensors')).toBe(await fileDigest(old, 'model.safetensors'));
  });

  test('fetches everything again for a new force number, and serves that number from the store afterwards', async () => {
    await platform.prefetch({ repo: 'org/forced' });
    const before = platform.hub.requests.length;
    await platform.prefetch({ repo: 'org/forced', force: 1 });
    const fetched = platform.hub.requests.slice(before).filter(isBytes).length;
    expect(fetched).toBeGreaterThanOrEqual(5);
    await platform.prefetch({ repo: 'org/forced', force: 1 });
    expect(platform.hub.requests.slice(before).filter(isBytes)).toHaveLength(fetched);
  });

  test('serves a pinned commit with a good manifest while the Hub is down', async () => {
    const revision = platform.hub.commitOf('org/pinned', 'main');
    const dir = await platform.prefetch({ repo: 'org/pinned', revision });
    const alone = await startPlatform(server(), {
      settings: { store: platform.settings.store ?? '', hubEndpoint: 'http://127.0.0.1:9' },
    });
    try {
      expect(await alone.prefetch({ repo: 'org/pinned', revision })).toEqual(dir);
    } finally {
      await alone.stop();
    }
  });

  test('puts a file selection into a folder of its own', async () => {
    const dir = await platform.prefetch({ repo: 'org/selected', selection: 'vllm' });
    expect(dir.path).toMatch(/\.files-[0-9a-f]{8}\/$/);
    const paths = (await readManifest(dir)).files.map(({ path }) => path);
    expect(paths).toContain('model.safetensors');
    expect(paths).not.toContain('original/consolidated.00.pth');
  });

  test('writes under a rawDataPath that is given', async () => {
    const rawDataPath = `file://${join(platform.folder, '..', 'elsewhere')}`;
    const dir = await platform.prefetch({ repo: 'org/small', rawDataPath });
    expect(dir.path.startsWith(`${rawDataPath}/small/`)).toBe(true);
  });

  test('answers the progress query with what is done', async () => {
    const handle = await platform.client.start({ repo: 'org/small' });
    await handle.result();
    expect(await handle.progress()).toMatchObject({ phase: 'done', filesDone: 6, fileCount: 6, cacheHit: true });
    expect(await handle.status()).toBe('completed');
  });
});

describe('a run that cannot succeed', () => {
  test.each<[string, ErrorCode, unknown]>([
    ['null', 'InvalidInput', null],
    ['an array', 'InvalidInput', [{ repo: 'org/small' }]],
    ['an unknown field', 'InvalidInput', { repo: 'org/small', brunch: 'main' }],
    ['a repo name out of shape', 'InvalidInput', { repo: 'org/../small' }],
    ['an artifact name out of shape', 'InvalidInput', { repo: 'org/small', artifactName: '../x' }],
    ['a GPU spec out of shape', 'InvalidInput', { repo: 'org/small', resources: { gpu: 'four' } }],
    ['a repo that is not there', 'RepoNotFound', { repo: 'org/absent' }],
    ['a revision that is not there', 'RevisionNotFound', { repo: 'org/small', revision: 'nope' }],
    ['a gated repo without access', 'GatedRepo', { repo: 'org/gated' }],
    ['a secret that is not allowed', 'TokenNotAllowed', { repo: 'org/small', hfTokenKey: 'AWS_SECRET_ACCESS_KEY' }],
    ['a named secret that is not there', 'TokenNotFound', { repo: 'org/small', hfTokenKey: 'HF_TOKEN_ABSENT' }],
    ['an unknown scheme', 'UnsupportedStore', { repo: 'org/small', rawDataPath: 'ftp://host/models' }],
    ['a selection that takes nothing', 'NothingSelected', { repo: 'org/small', include: ['*.gguf'] }],
    [
      'a shard config that no engine takes',
      'UnsupportedSharding',
      { repo: 'org/small', shardConfig: { engine: 'auto', args: { tensorParallelSize: 2, pipelineParallelSize: 2 } } },
    ],
  ])('fails at once for %s, by the code', async (_name, code, input) => {
    const before = platform.hub.requests.filter(isBytes).length;
    const { client, taskQueue } = { client: server().client, taskQueue: platform.settings.taskQueue };
    const workflowId = `bad-input-${code}-${String(process.hrtime.bigint())}`;
    await client.workflow.start('prefetchModel', { workflowId, taskQueue, args: [input] });
    const error = await platform.client
      .get(workflowId)
      .result()
      .catch((reason: unknown) => reason);
    expect(isPrefetchError(error, code), String(error)).toBe(true);
    expect(platform.hub.requests.filter(isBytes)).toHaveLength(before);
  });
});

function movedCommit() {
  const commit = smallModel({ seed: 'one' });
  return { files: { ...commit.files, 'README.md': { bytes: new TextEncoder().encode('# Moved\n') } } };
}

/** Requests that carry the bytes of files. */
function isBytes({ origin, method, path }: Platform['hub']['requests'][number]): boolean {
  return method === 'GET' && (origin === 'cdn' || path.includes('/resolve/') || path.includes('/resolve-cache/'));
}

async function readManifest(dir: Dir) {
  return manifestSchema.parse(JSON.parse(await readFile(fileURLToPath(dir.manifestPath), 'utf8')));
}

async function fileDigest(dir: Dir, path: string): Promise<string> {
  return sha256(await readFile(fileURLToPath(`${dir.path}${path}`)));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What the digest of these bytes can be: SHA-256, or the git blob id. */
function digests(bytes: Uint8Array): string[] {
  const git = createHash('sha1')
    .update(`blob ${String(bytes.length)}\0`)
    .update(bytes)
    .digest('hex');
  return [sha256(bytes), git];
}
