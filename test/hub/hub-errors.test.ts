import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Hub } from '../../src/hub/hub.js';
import { openHub } from '../../src/hub/open-hub.js';
import { startServer, type LocalServer } from '../helpers/local-server.js';

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const COMMIT = 'c'.repeat(40);
const json = { 'Content-Type': 'application/json; charset=utf-8' };
const token = 'hf_s3cret';

let server: LocalServer;
let hub: Hub;
/** What the server says to everything; a test sets it. */
let say: (request: IncomingMessage) => Answer;

beforeEach(async () => {
  server = await startServer((request, response) => {
    const { status = 200, headers = {}, body = '' } = say(request);
    response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body);
  });
  hub = openHub({ endpoint: server.origin });
});

afterEach(() => server.close());

type Call = (token?: string) => Promise<unknown>;

const calls: Record<'repo' | 'list' | 'access' | 'locate' | 'read' | 'whoAmI', Call> = {
  repo: (token) => hub.resolveRevision('o/m', 'main', credentials(token)),
  list: async (token) => {
    const paths: string[] = [];
    for await (const { path } of hub.listFiles('o/m', COMMIT, credentials(token))) paths.push(path);
    return paths;
  },
  access: (token) => hub.checkAccess('o/m', credentials(token)),
  locate: (token) => hub.locate({ repo: 'o/m', commit: COMMIT, path: 'f' }, credentials(token)),
  read: (token) => hub.read({ repo: 'o/m', commit: COMMIT, path: 'f', size: 3 }, credentials(token)),
  whoAmI: (token) => hub.whoAmI({ token: token ?? 'hf_x' }),
};

function credentials(token: string | undefined) {
  return token === undefined ? {} : { token };
}

/** Text that gzip makes neither longer nor shorter. */
function sameLength(): Buffer {
  const unlike = createHash('sha512').update('x').digest();
  for (let length = 0; length < 400; length++) {
    const text = Buffer.concat([unlike, Buffer.alloc(length, 'a')]);
    if (gzipSync(text).length === text.length) return text;
  }
  throw new Error('no such text');
}

function refusal(status: number, code?: string, message?: string): Answer {
  return {
    status,
    headers: {
      'X-Request-Id': 'Root=1-abc',
      ...(code !== undefined && { 'X-Error-Code': code }),
      ...(message !== undefined && { 'X-Error-Message': message }),
    },
  };
}

describe('a refusal of the Hub', () => {
  test.each<[string, Answer, keyof typeof calls, string | undefined]>([
    ['RepoNotFound', refusal(404, 'RepoNotFound'), 'repo', undefined],
    ['RepoNotFound', refusal(404, 'RepoNotFound'), 'access', token],
    ['RepoNotFound', refusal(401, 'RepoNotFound', 'Invalid username or password.'), 'repo', undefined],
    ['RepoNotFound', refusal(401), 'repo', undefined],
    ['RepoNotFound', refusal(403), 'read', undefined],
    ['RepoNotFound', { status: 404, headers: json, body: '{"error":"Repository not found"}' }, 'list', undefined],
    ['RepoNotFound', refusal(410, undefined, 'It was moved away.'), 'repo', undefined],
    ['GatedRepo', refusal(401, 'GatedRepo'), 'locate', undefined],
    ['GatedRepo', refusal(403, 'GatedRepo'), 'read', token],
    ['GatedRepo', refusal(403, undefined, 'Enable access to public gated repositories.'), 'read', token],
    ['RevisionNotFound', refusal(404, 'RevisionNotFound'), 'repo', undefined],
    ['EntryNotFound', refusal(404, 'EntryNotFound'), 'locate', undefined],
    ['EntryNotFound', refusal(404), 'read', undefined],
    ['InvalidToken', refusal(401, undefined, 'Invalid credentials in Authorization header'), 'repo', token],
    ['InvalidToken', refusal(401, 'RepoNotFound', 'Invalid credentials in Authorization header'), 'locate', token],
    [
      'InvalidToken',
      { status: 401, headers: json, body: '{"error":"User Access Token \\"x\\" is expired"}' },
      'repo',
      token,
    ],
    ['InvalidToken', refusal(401), 'read', token],
    ['InvalidToken', refusal(401, undefined, 'Invalid username or password.'), 'whoAmI', token],
    ['DisabledRepo', refusal(403, undefined, 'Access to this resource is disabled.'), 'repo', undefined],
    ['DisabledRepo', refusal(451), 'list', undefined],
    ['RateLimited', refusal(429), 'repo', undefined],
    ['RateLimited', refusal(429, 'RepoNotFound'), 'locate', undefined],
    ['HubUnavailable', refusal(500), 'repo', undefined],
    ['HubUnavailable', refusal(502, 'RepoNotFound'), 'read', undefined],
    ['HubUnavailable', refusal(408), 'list', undefined],
    ['HubProtocol', refusal(400), 'repo', undefined],
    ['HubProtocol', refusal(404), 'whoAmI', token],
    ['HubProtocol', refusal(403), 'whoAmI', token],
    ['HubProtocol', refusal(404), 'repo', undefined],
    ['HubProtocol', refusal(410), 'list', undefined],
    ['HubProtocol', refusal(501), 'repo', undefined],
    ['SourceUnavailable', refusal(400), 'locate', undefined],
    ['HubProtocol', refusal(501), 'read', undefined],
    ['HubProtocol', refusal(405), 'locate', undefined],
    ['HubProtocol', refusal(304), 'repo', undefined],
  ])('is %s for %j to %s with the token %s', async (code, answer, call, given) => {
    say = () => answer;
    const failure = calls[call](given);
    await expect(failure).rejects.toMatchObject({ name: 'PrefetchError', code, details: { endpoint: server.origin } });
    await expect(failure).rejects.toThrow(server.origin);
    await expect(failure).rejects.not.toThrow(/s3cret/);
  });

  test('is told with repo, revision, status, code, words and request id', async () => {
    say = () => refusal(404, 'RevisionNotFound', 'Invalid rev id: main');
    await expect(calls.repo()).rejects.toMatchObject({
      message: expect.stringMatching(
        /o\/m .*"main".*status 404, RevisionNotFound, the Hub says: Invalid rev id: main, request id Root=1-abc/
      ) as string,
      details: { repo: 'o/m', revision: 'main', status: 404, requestId: 'Root=1-abc' },
    });
  });

  test('is told without token, signed URL, control characters and in bounds, whatever the Hub says', async () => {
    const words = `bad ${token} at https://cdn.example/x?Signature=deadbeef \u0007${'long '.repeat(1000)}`;
    say = () => ({ status: 401, headers: json, body: JSON.stringify({ error: words }) });
    const error: unknown = await calls.repo(token).catch((reason: unknown) => reason);
    const text = error instanceof Error ? error.message : '';
    expect(text).toMatch(/bad \*\*\* at https:\/\/cdn\.example\/x\?\*\*\* /);
    expect(text).not.toMatch(/s3cret|deadbeef|\p{Control}/u);
    expect(text.length).toBeLessThan(800);
  });

  test.each<[number | undefined, Answer['headers'], number]>([
    [173_000, { RateLimit: '"api";r=0;t=172' }, 429],
    [7_000, { 'Retry-After': '7' }, 429],
    [60_000, {}, 429],
    [9_000, { 'Retry-After': '9' }, 503],
    [undefined, {}, 503],
    [undefined, { RateLimit: '"api";r=0;t=172' }, 404],
  ])('asks to wait %s ms for %j with status %i', async (retryAfterMs, headers, status) => {
    say = () => ({ status, ...(headers !== undefined && { headers }) });
    await expect(calls.repo()).rejects.toMatchObject({ retryAfterMs });
  });
});

describe('nonsense', () => {
  const info = { sha: COMMIT, private: false, gated: false };
  const entry = { type: 'file', path: 'f', size: 3, oid: 'a'.repeat(40) };
  const lfs = { oid: 'b'.repeat(64), size: 3 };

  test.each<[string, keyof typeof calls, unknown]>([
    ['a repo without a commit', 'repo', { ...info, sha: undefined }],
    ['a commit that is none', 'repo', { ...info, sha: 'main' }],
    ['text for a repo', 'repo', 'abc'],
    ['null for a repo', 'repo', null],
    ['a listing that is no list', 'list', { error: null }],
    ['null for a listing', 'list', null],
    ['text for a listing', 'list', 'abc'],
    ['a file that is no object', 'list', [null]],
    ['a file without a type', 'list', [{ ...entry, type: undefined }]],
    ['a file without a path', 'list', [{ ...entry, path: 7 }]],
    ['a negative size', 'list', [{ ...entry, size: -1 }]],
    ['half a byte', 'list', [{ ...entry, size: 0.5 }]],
    ['a digest of other digits', 'list', [{ ...entry, oid: 'g'.repeat(40) }]],
    ['a long digest', 'list', [{ ...entry, oid: 'a'.repeat(64) }]],
    ['a short LFS digest', 'list', [{ ...entry, lfs: { ...lfs, oid: 'b'.repeat(40) } }]],
    ['an LFS size that is none', 'list', [{ ...entry, lfs: { ...lfs, size: '3' } }]],
    ['an account without a name', 'whoAmI', { auth: {} }],
    ['an account that is a list', 'whoAmI', [{ name: 'x' }]],
  ])('is HubProtocol: %s', async (_, call, value) => {
    say = () => ({ headers: json, body: JSON.stringify(value) });
    await expect(calls[call]()).rejects.toMatchObject({ code: 'HubProtocol' });
  });

  test.each<[string, keyof typeof calls, Answer]>([
    ['a page for people', 'repo', { headers: { 'Content-Type': 'text/html' }, body: '<html>Sign in</html>' }],
    ['a page for people as a listing', 'list', { headers: { 'Content-Type': 'text/html' }, body: '<html>' }],
    ['half a JSON', 'repo', { headers: json, body: '{"sha":' }],
    ['no JSON at all', 'list', { status: 204 }],
    ['a redirect to nowhere', 'repo', { status: 302 }],
    ['a redirect to itself', 'list', { status: 302, headers: { Location: '/again' } }],
    ['a file of another commit', 'locate', { headers: { 'X-Repo-Commit': 'd'.repeat(40) } }],
    ['a redirect to a local file', 'read', { status: 302, headers: { Location: 'file:///etc/passwd' } }],
  ])('is HubProtocol: %s', async (_, call, answer) => {
    say = () => answer;
    await expect(calls[call]()).rejects.toMatchObject({ code: 'HubProtocol' });
  });

  const packed = { 'X-Repo-Commit': COMMIT, 'Content-Encoding': 'gzip' };
  const page = { 'Content-Type': 'text/html' };

  test.each<[string, keyof typeof calls, Answer]>([
    ['a body that is not packed as it says', 'read', { headers: packed, body: 'abcd' }],
    ['a body packed as nobody does', 'read', { headers: { ...packed, 'Content-Encoding': 'compress' }, body: 'abcd' }],
    ['a redirect to nowhere', 'locate', { status: 302 }],
    ['a redirect to itself', 'read', { status: 302, headers: { Location: '/again' } }],
    ['a refusal by a page', 'locate', { status: 403, headers: page }],
    ['a refusal of a proxy', 'read', { status: 407, headers: page, body: '<html>' }],
  ])('may pass where it is about a file: %s', async (_, call, answer) => {
    say = () => answer;
    await expect(calls[call](token)).rejects.toMatchObject({
      code: 'SourceUnavailable',
      permanent: false,
      details: { senseless: true },
    });
  });

  test.each([
    { 'Content-Length': '1' },
    { 'Content-Length': '9', ...page },
    { 'Content-Length': '0', ...page },
    { 'Transfer-Encoding': 'chunked', ...page },
  ])('of a HEAD is no reason not to ask for the file: %j', async (headers) => {
    say = () => ({ headers });
    await expect(calls.locate()).resolves.toMatchObject({ url: expect.stringContaining('/resolve/') as string });
  });

  test('is HubProtocol: a pinned commit that turns into another', async () => {
    say = () => ({ headers: json, body: JSON.stringify(info) });
    await expect(hub.resolveRevision('o/m', 'd'.repeat(40))).rejects.toMatchObject({ code: 'HubProtocol' });
  });

  test('is HubProtocol: pages that go round in circles', async () => {
    const followed: string[] = [];
    say = ({ url }) => {
      followed.push(url ?? '');
      return { headers: { ...json, Link: '</api/models/o/m/tree/x?cursor=1>; rel="next"' }, body: '[]' };
    };
    await expect(calls.list()).rejects.toMatchObject({ code: 'HubProtocol' });
    expect(followed).toHaveLength(2);
  });
});

describe('an unusual answer that is good', () => {
  test.each([
    ['no field but the commit', JSON.stringify({ sha: COMMIT }), json],
    ['no type', JSON.stringify({ sha: COMMIT }), {}],
    ['a commit in capitals', JSON.stringify({ sha: COMMIT.toUpperCase(), private: 'perhaps' }), json],
  ])('may have %s', async (_, body, headers) => {
    say = () => ({ headers, body });
    await expect(calls.repo()).resolves.toEqual({ commit: COMMIT, private: false, gated: false, tags: [] });
  });

  test('may be an account without auth', async () => {
    say = () => ({ headers: json, body: JSON.stringify({ name: 'x' }) });
    await expect(calls.whoAmI()).resolves.toEqual({ name: 'x' });
  });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('may be packed as %s though nobody asked for it', async (encoding, pack) => {
    const packed = (body: string): Answer => ({ headers: { 'Content-Encoding': encoding }, body: pack(body) });
    say = ({ url }) => packed(url?.includes('/api/') === true ? JSON.stringify({ sha: COMMIT }) : 'abc');
    await expect(calls.repo()).resolves.toMatchObject({ commit: COMMIT });
    await expect(calls.read()).resolves.toEqual(Buffer.from('abc'));
    await expect(calls.locate()).resolves.toMatchObject({ url: expect.stringContaining('/resolve/') as string });
  });

  test.each(['aws-chunked', 'none', 'binary', 'utf-8', 'identity, identity', 'x', ','])(
    'may name an encoding that packs nothing: %s',
    async (encoding) => {
      const headers = { 'Content-Encoding': encoding };
      say = ({ url }) => ({ headers, body: url?.includes('/api/') === true ? JSON.stringify({ sha: COMMIT }) : 'abc' });
      await expect(calls.repo()).resolves.toMatchObject({ commit: COMMIT });
      await expect(calls.read()).resolves.toEqual(Buffer.from('abc'));
    }
  );

  test.each(['gzip', 'x-gzip', 'br', 'deflate', 'zstd', 'compress', 'aws-chunked,gzip'])(
    'may be a file that is packed itself, and said to be: %s',
    async (encoding) => {
      const file = gzipSync('a'.repeat(1000));
      say = () => ({ headers: { 'Content-Encoding': encoding }, body: file });
      const asked = { repo: 'o/m', commit: COMMIT, path: 'v.txt.gz', size: file.length };
      await expect(hub.read(asked)).resolves.toEqual(file);
    }
  );

  test('may be packed twice, and as long packed as it was', async () => {
    const file = Buffer.from(Array.from({ length: 400 }, (_, i) => 'ab'.charCodeAt(((i * i) % 7) % 2)));
    say = () => ({
      headers: { 'Content-Encoding': 'aws-chunked, gzip, br' },
      body: brotliCompressSync(gzipSync(file)),
    });
    await expect(hub.read({ repo: 'o/m', commit: COMMIT, path: 'f', size: file.length })).resolves.toEqual(file);
    const same = sameLength();
    say = () => ({ headers: { 'Content-Encoding': 'gzip' }, body: gzipSync(same) });
    await expect(hub.read({ repo: 'o/m', commit: COMMIT, path: 'f', size: same.length })).resolves.toEqual(same);
  });

  test.each([{}, { 'Content-Length': '3', 'Content-Type': 'text/html' }, { 'Content-Length': '0' }])(
    'may be a location without a commit, with %j',
    async (headers) => {
      say = () => ({ headers });
      await expect(calls.locate()).resolves.toBeDefined();
    }
  );

  test('may be a file without a commit, for its digest decides', async () => {
    say = () => ({ body: 'abc' });
    await expect(calls.read()).resolves.toEqual(Buffer.from('abc'));
    await expect(calls.locate()).resolves.toBeDefined();
  });

  test('may be that a mirror has no page for the access check', async () => {
    say = () => refusal(404);
    await expect(calls.access()).resolves.toBeUndefined();
  });

  const page = (path: string) => JSON.stringify([{ type: 'file', path, size: 3, oid: 'a'.repeat(40) }]);

  test.each([
    (next: string) => `<${next}>; rel="next"`,
    (next: string) => `<${next}>;rel=next`,
    (next: string) => `<https://hub.example/first>; rel="first", <${next}>; title="x"; rel="next"`,
  ])('may write its link to the next page in any notation', async (link) => {
    for (const origin of ['', server.origin]) {
      const next = `${origin}/api/models/o/m/tree/x?cursor=1`;
      say = ({ url }) =>
        url?.includes('cursor') === true
          ? { headers: json, body: page('b') }
          : { headers: { ...json, Link: link(next) }, body: page('a') };
      await expect(calls.list()).resolves.toEqual(['a', 'b']);
    }
  });

  test('may have folders and unknown kinds in a listing', async () => {
    say = () => ({ headers: json, body: '[{"type":"directory","path":"d"},{"type":"submodule"}]' });
    await expect(calls.list()).resolves.toEqual([]);
  });

  test('may come under the new name of a repo', async () => {
    say = ({ url }) =>
      url?.startsWith('/api/models/o/m') === true
        ? { status: 307, headers: { Location: '/api/models/new/name' } }
        : { headers: json, body: JSON.stringify({ sha: COMMIT }) };
    await expect(calls.repo()).resolves.toMatchObject({ commit: COMMIT, private: false, gated: false });
  });

  test('may come without a commit where a file is sent on to the new name of its repo', async () => {
    say = ({ url }) =>
      url?.startsWith('/o/m/') === true
        ? { status: 307, headers: { Location: `/new/name/resolve/${COMMIT}/f` } }
        : { headers: { 'X-Repo-Commit': COMMIT }, body: 'abc' };
    await expect(calls.read()).resolves.toBeDefined();
  });
});

describe('the token', () => {
  test('goes to no other origin, not even for a moved repo', async () => {
    const seen: (string | undefined)[] = [];
    const stranger = await startServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(200, json).end(JSON.stringify({ sha: COMMIT }));
    });
    try {
      say = () => ({ status: 307, headers: { Location: `${stranger.origin}/api/models/o/m` } });
      await calls.repo(token);
      expect(seen).toEqual([undefined]);
    } finally {
      await stranger.close();
    }
  });

  test('goes to the Hub as it is', async () => {
    let seen: string | undefined;
    say = ({ headers }) => {
      seen = headers.authorization;
      return { headers: json, body: '[]' };
    };
    await calls.list('anything-at-all');
    expect(seen).toBe('Bearer anything-at-all');
  });
});
