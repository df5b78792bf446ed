import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { startDevHub, type DevHub, type Fault, type InterceptedRequest } from '../../src/dev-hub/index.js';
import type { FileReference, Hub, ListedFile } from '../../src/hub/hub.js';
import { openHub } from '../../src/hub/open-hub.js';

const REPO = 'owner/model';
const TOKEN = 'a-token-of-a-hub-of-our-own';
const STRANGER = 'hf_stranger';
const LFS_BYTES = 4096;

const big = Buffer.alloc(LFS_BYTES + 5, 7);
const odd = ['a b/ü #1%20?.json', 'deep/er/est/x+y&z.txt', "it's (odd)[1]{2}~!@$,;=.txt", '名前/😀.md'];
const files = {
  'config.json': { bytes: Buffer.from('{"a":1}') },
  'model.safetensors': { bytes: big },
  'empty.txt': { bytes: Buffer.alloc(0) },
  ...Object.fromEntries(odd.map((path) => [path, { bytes: Buffer.from(`content of ${path}`) }])),
};

let dev: DevHub;
let hub: Hub;
let commit: string;
let fault: ((request: InterceptedRequest) => Fault | undefined) | undefined;

beforeAll(async () => {
  dev = await startDevHub({
    repos: [
      {
        id: REPO,
        commits: [{ files: { 'old.txt': { bytes: Buffer.from('old') } } }, { files }],
        branches: { main: 1, 'feature/x': 0, 'refs/pr/1': 0 },
        tags: { 'v1.0#beta': 0 },
      },
      { id: `datasets/${REPO}`, commits: [{ files }] },
      { id: 'owner/private', private: true, commits: [{ files }] },
      { id: 'owner/gated', gated: 'manual', commits: [{ files }] },
      { id: 'owner/disabled', disabled: true, commits: [{ files }] },
    ],
    tokens: { [TOKEN]: { name: 'tester' }, [STRANGER]: { name: 'stranger', repos: [] } },
    lfsThresholdBytes: LFS_BYTES,
    pageSize: 3,
    intercept: (request) => fault?.(request),
  });
  hub = openHub({ endpoint: `${dev.url}/` });
  commit = dev.commitOf(REPO, 'main');
});

afterEach(() => {
  fault = undefined;
  vi.useRealTimers();
});

afterAll(() => dev.close());

function at(path: string, repo = REPO): FileReference {
  return { repo, path, commit: dev.commitOf(repo, 'main') };
}

async function listed(repo = REPO, token?: string): Promise<ListedFile[]> {
  const found: ListedFile[] = [];
  for await (const file of hub.listFiles(repo, dev.commitOf(repo, 'main'), token === undefined ? {} : { token })) {
    found.push(file);
  }
  return found;
}

/** How many requests a call makes. */
async function requestsOf(call: () => Promise<unknown>) {
  const before = dev.requests.length;
  await call();
  return dev.requests.slice(before);
}

describe('openHub', () => {
  test('names its endpoint without the trailing slash', () => {
    expect(hub.endpoint).toBe(dev.url);
  });

  test.each([
    'huggingface.co',
    'ftp://hub.example',
    'https://user:s3cret@hub.example',
    'https://hub.example/?s3cret',
    '',
  ])('refuses the endpoint "%s"', (endpoint) => {
    expect(() => openHub({ endpoint })).toThrow(/^InvalidInput: HF_ENDPOINT: /);
    expect(() => openHub({ endpoint })).not.toThrow(/s3cret/);
  });
});

describe('whoAmI', () => {
  test('gives the name of an account, whatever its token starts with', async () => {
    await expect(hub.whoAmI({ token: TOKEN })).resolves.toEqual({ name: 'tester' });
  });

  test('asks once in five minutes for each token', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const fresh = openHub({ endpoint: dev.url });
    const requests = await requestsOf(async () => {
      await fresh.whoAmI({ token: TOKEN });
      await fresh.whoAmI({ token: TOKEN });
      await expect(fresh.whoAmI({ token: STRANGER })).resolves.toEqual({ name: 'stranger' });
      vi.setSystemTime(Date.now() + 299_000);
      await fresh.whoAmI({ token: TOKEN });
    });
    expect(requests).toHaveLength(2);
    vi.setSystemTime(Date.now() + 2_000);
    expect(await requestsOf(() => fresh.whoAmI({ token: TOKEN }))).toHaveLength(1);
  });

  test('remembers no refusal', async () => {
    const refused = () => expect(hub.whoAmI({ token: 'hf_bad' })).rejects.toMatchObject({ code: 'InvalidToken' });
    expect(await requestsOf(refused)).toHaveLength(1);
    expect(await requestsOf(refused)).toHaveLength(1);
  });
});

describe('resolveRevision', () => {
  test.each([
    ['main', 1],
    ['feature/x', 0],
    ['refs/pr/1', 0],
    ['v1.0#beta', 0],
  ])('resolves %s', async (revision, position) => {
    const expected = position === 1 ? commit : dev.commitOf(REPO, 'feature/x');
    await expect(hub.resolveRevision(REPO, revision)).resolves.toEqual({
      commit: expected,
      private: false,
      gated: false,
      tags: [],
    });
  });

  test('resolves a commit to itself', async () => {
    await expect(hub.resolveRevision(REPO, commit)).resolves.toMatchObject({ commit });
  });

  test('tells a gated and a private repo', async () => {
    await expect(hub.resolveRevision('owner/gated', 'main')).resolves.toMatchObject({ gated: true, private: false });
    await expect(hub.resolveRevision('owner/private', 'main', { token: TOKEN })).resolves.toMatchObject({
      gated: false,
      private: true,
    });
  });

  test('names an unknown revision', async () => {
    await expect(hub.resolveRevision(REPO, 'no/such')).rejects.toMatchObject({
      code: 'RevisionNotFound',
      message: expect.stringMatching(/owner\/model .*"no\/such".*request id dev-hub-\d+/) as string,
    });
  });

  test('takes a private repo for missing without a token, and says how to set one', async () => {
    for (const repo of ['owner/private', 'owner/missing']) {
      await expect(hub.resolveRevision(repo, 'main')).rejects.toMatchObject({
        code: 'RepoNotFound',
        message: expect.stringMatching(/private, gated or missing.*HF_TOKEN.*hfTokenKey.*--hf-token-key/) as string,
      });
    }
    await expect(hub.resolveRevision('owner/private', 'main', { token: STRANGER })).rejects.toMatchObject({
      code: 'RepoNotFound',
    });
  });

  test('refuses a bad token on a public repo, and never repeats it', async () => {
    const failure = hub.resolveRevision(REPO, 'main', { token: 'hf_bad_s3cret' });
    await expect(failure).rejects.toMatchObject({ code: 'InvalidToken' });
    await expect(failure).rejects.not.toThrow(/s3cret/);
  });

  test.each(['', 'two words', 'line\n', 'hf_ü'])('refuses the token %j before it is sent', async (token) => {
    const requests = await requestsOf(() =>
      expect(hub.resolveRevision(REPO, 'main', { token })).rejects.toMatchObject({ code: 'InvalidToken' })
    );
    expect(requests).toEqual([]);
  });

  test('names a disabled repo', async () => {
    await expect(hub.resolveRevision('owner/disabled', 'main')).rejects.toMatchObject({ code: 'DisabledRepo' });
  });
});

describe('checkAccess', () => {
  test('passes for a public repo and with a grant', async () => {
    await hub.checkAccess(REPO);
    await hub.checkAccess('owner/gated', { token: TOKEN });
  });

  test.each([{}, { token: STRANGER }])('says where to ask for access to a gated repo with %j', async (options) => {
    await expect(hub.checkAccess('owner/gated', options)).rejects.toMatchObject({
      code: 'GatedRepo',
      message: expect.stringContaining(`Accept its terms at ${dev.url}/owner/gated`) as string,
    });
  });
});

describe('listFiles', () => {
  test('lists every file of every page with size and digest', async () => {
    const found = await listed();
    expect(found.map(({ path }) => path).sort()).toEqual(Object.keys(files).sort());
    const byPath = new Map(found.map((file) => [file.path, file]));
    expect(byPath.get('model.safetensors')).toEqual({
      path: 'model.safetensors',
      size: big.length,
      digest: { algorithm: 'sha256', hex: createHash('sha256').update(big).digest('hex') },
    });
    expect(byPath.get('config.json')?.digest).toEqual({
      algorithm: 'gitSha1',
      hex: createHash('sha1').update('blob 7\0{"a":1}').digest('hex'),
    });
  });

  test('asks for pages one after the other, and only for those that are wanted', async () => {
    const requests = await requestsOf(async () => {
      for await (const file of hub.listFiles(REPO, commit)) {
        expect(file.path).toBeTruthy();
        break;
      }
    });
    expect(requests).toHaveLength(1);
    expect((await requestsOf(listed)).length).toBeGreaterThan(2);
  });

  test('lists the commit that is asked for', async () => {
    const paths: string[] = [];
    for await (const { path } of hub.listFiles(REPO, dev.commitOf(REPO, 'refs/pr/1'))) paths.push(path);
    expect(paths).toEqual(['old.txt']);
  });

  test('fails in the middle as it fails at the start', async () => {
    fault = ({ count, path }) =>
      path.includes('/tree/') && path.includes('gated') && count === 2 ? { answer: { status: 503 } } : undefined;
    await expect(listed('owner/gated')).rejects.toMatchObject({ code: 'HubUnavailable' });
  });
});

describe('locate', () => {
  test('gives the signed URL of an LFS file without the token', async () => {
    const before = Date.now();
    const location = await hub.locate(at('model.safetensors'), { token: TOKEN });
    expect(location.url.startsWith(`${dev.cdnUrl}/`)).toBe(true);
    expect(location.headers).toEqual({});
    expect(location.expiresAt).toBeGreaterThanOrEqual(before + 44 * 60_000);
    expect(location.expiresAt).toBeLessThanOrEqual(Date.now() + 45 * 60_000);
    const answer = await fetch(location.url);
    expect(Buffer.from(await answer.arrayBuffer()).equals(big)).toBe(true);
  });

  test.each(odd)("gives the Hub's own URL and the token for %s", async (path) => {
    const location = await hub.locate(at(path), { token: TOKEN });
    expect(location.headers).toEqual({ authorization: `Bearer ${TOKEN}` });
    const answer = await fetch(location.url, { redirect: 'error', headers: location.headers });
    await expect(answer.text()).resolves.toBe(`content of ${path}`);
  });

  test('gives no header without a token', async () => {
    await expect(hub.locate(at('config.json'))).resolves.toMatchObject({ headers: {} });
  });

  test('costs one request for an LFS file', async () => {
    const requests = await requestsOf(() => hub.locate(at('model.safetensors')));
    expect(requests.map(({ method, origin }) => [method, origin])).toEqual([['HEAD', 'hub']]);
  });

  test.each([
    ['EntryNotFound', at, 'no/such file'],
    ['GatedRepo', (path: string) => at(path, 'owner/gated'), 'config.json'],
  ])('fails as %s though a HEAD has no body', async (code, reference, path) => {
    await expect(hub.locate(reference(path))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(JSON.stringify(path)) as string,
    });
  });
});

test('a data set is told, listed, located and read by its kind and its name', async () => {
  const repo = `datasets/${REPO}`;
  await hub.checkAccess(repo);
  const { commit } = await hub.resolveRevision(repo, 'main');
  expect((await listed(repo)).map(({ path }) => path).sort()).toEqual(Object.keys(files).sort());
  const size = big.length;
  for (const smallFiles of ['config.json', ...odd]) await hub.locate({ repo, commit, path: smallFiles });
  await expect(hub.read({ repo, commit, path: 'model.safetensors', size })).resolves.toEqual(big);
  await expect(hub.read({ repo, commit, path: 'config.json', size: 7 })).resolves.toEqual(Buffer.from('{"a":1}'));
});

describe('read', () => {
  test.each([...odd, 'config.json'])('gives the bytes of %s', async (path) => {
    const size = (files as Record<string, { bytes: Buffer }>)[path]?.bytes.length ?? -1;
    const bytes = await hub.read({ ...at(path), size });
    expect(Buffer.from(bytes).toString()).toBe(path === 'config.json' ? '{"a":1}' : `content of ${path}`);
  });

  test('follows an LFS file to the CDN and leaves the token behind', async () => {
    const requests = await requestsOf(async () => {
      const bytes = await hub.read({ ...at('model.safetensors', 'owner/private'), size: big.length }, { token: TOKEN });
      expect(Buffer.from(bytes).equals(big)).toBe(true);
    });
    expect(requests.map(({ origin, hadAuthorization }) => [origin, hadAuthorization])).toEqual([
      ['hub', true],
      ['cdn', false],
    ]);
  });

  test('keeps the token on the way through a relative redirect', async () => {
    const requests = await requestsOf(() =>
      hub.read({ ...at('config.json', 'owner/private'), size: 7 }, { token: TOKEN })
    );
    expect(requests.map(({ hadAuthorization }) => hadAuthorization)).toEqual([true, true]);
  });

  test('asks nothing for an empty file', async () => {
    expect(await requestsOf(() => hub.read({ ...at('empty.txt'), size: 0 }))).toEqual([]);
  });

  test.each([
    ['config.json', 6],
    ['config.json', 8],
    ['model.safetensors', big.length - 1],
    ['model.safetensors', big.length + 1],
  ])('fails for %s when it should have %i bytes', async (path, size) => {
    await expect(hub.read({ ...at(path), size })).rejects.toMatchObject({ code: 'TruncatedSource' });
  });

  test('fails for a body that ends early', async () => {
    fault = ({ origin }) => (origin === 'cdn' ? { body: firstHalf } : undefined);
    await expect(hub.read({ ...at('model.safetensors'), size: big.length })).rejects.toMatchObject({
      code: 'TruncatedSource',
    });
  });

  test('calls a refusal of the CDN what it is, without the signed URL', async () => {
    fault = ({ origin }) => (origin === 'cdn' ? { answer: { status: 403, body: 'expired' } } : undefined);
    const failure = hub.read({ ...at('model.safetensors'), size: big.length });
    await expect(failure).rejects.toMatchObject({
      code: 'SourceUnavailable',
      message: expect.stringContaining(dev.cdnUrl) as string,
    });
    await expect(failure).rejects.not.toThrow(/Signature|Expires/);
  });
});

async function* firstHalf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
  for await (const chunk of chunks) {
    yield chunk.slice(0, chunk.length / 2);
    return;
  }
}
