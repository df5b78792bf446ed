import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { completeFiles } from '../../src/hub/complete-files.js';
import type { Hub, HubFile, ListedFile } from '../../src/hub/hub.js';
import { openHub } from '../../src/hub/open-hub.js';
import { startServer, type LocalServer } from '../helpers/local-server.js';

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const COMMIT = 'c'.repeat(40);
const SHA256 = createHash('sha256').update('abc').digest('hex');
const GIT_SHA1 = createHash('sha1').update('blob 3\0abc').digest('hex');
const POINTER = 'd'.repeat(40);
const json = (value: unknown): Answer => ({ body: JSON.stringify(value) });
const missing: Answer = { status: 404 };

let server: LocalServer;
let hub: Hub;
/** What the server has, by path and query; a query that it does not know is ignored. */
let pages: Record<string, Answer>;
/** What it says to everything else. */
let otherwise: Answer;
let asked: string[];

beforeEach(async () => {
  pages = {};
  otherwise = missing;
  asked = [];
  server = await startServer((request: IncomingMessage, response) => {
    const url = request.url ?? '';
    asked.push(`${request.method ?? ''} ${url}`);
    const { status = 200, headers = {}, body } = pages[url] ?? pages[url.replace(/\?.*/, '')] ?? otherwise;
    response.writeHead(status, headers).end(body);
  });
  hub = openHub({ endpoint: server.origin });
});

afterEach(() => server.close());

async function listed(): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  for await (const file of hub.listFiles('o/m', COMMIT)) files.push(file);
  return files;
}

async function complete(): Promise<HubFile[]> {
  return completeFiles(hub, { repo: 'o/m', commit: COMMIT }, { files: await listed() });
}

const unknownPages: [string, Answer][] = [
  ['400', { status: 400, body: 'Bad Request' }],
  ['404', missing],
  ['404 with a page', { status: 404, headers: { 'Content-Type': 'text/html' }, body: '<html>' }],
  ['404 in words', { status: 404, body: '{"error":"no such route"}' }],
  ['405', { status: 405 }],
  ['501', { status: 501 }],
  ['502', { status: 502 }],
  ['a page for people', { headers: { 'Content-Type': 'text/html' }, body: '<html>' }],
];

describe('a mirror that answers what it does not know with', () => {
  test.each(unknownPages)('%s is asked for its one description of a repo', async (_, answer) => {
    otherwise = answer;
    pages = { '/api/models/o/m': json({ sha: COMMIT }) };
    await expect(hub.resolveRevision('o/m', 'main')).resolves.toMatchObject({ commit: COMMIT });
    await expect(hub.resolveRevision('o/m', 'v1')).rejects.toThrow();
  });

  test.each(unknownPages)('%s is asked for a description of a commit instead of its listing', async (_, answer) => {
    otherwise = answer;
    const siblings = [
      { rfilename: 'config.json', size: 3, blobId: GIT_SHA1 },
      { rfilename: 'm.safetensors', size: 3, blobId: POINTER, lfs: { sha256: SHA256, size: 3, pointerSize: 130 } },
      { rfilename: 'n.safetensors', size: 3, blobId: POINTER, lfs: {} },
    ];
    pages = { [`/api/models/o/m/revision/${COMMIT}`]: json({ sha: COMMIT, siblings }) };
    await expect(listed()).resolves.toEqual([
      { path: 'config.json', size: 3, digest: { algorithm: 'gitSha1', hex: GIT_SHA1 } },
      { path: 'm.safetensors', size: 3, digest: { algorithm: 'sha256', hex: SHA256 } },
      { path: 'n.safetensors', size: 3 },
    ]);
    expect(asked).toContain(`GET /api/models/o/m/revision/${COMMIT}?blobs=true`);
  });

  test.each(unknownPages)('%s says nothing about access', async (_, answer) => {
    otherwise = answer;
    await expect(hub.checkAccess('o/m', { token: 'hf_x' })).resolves.toBeUndefined();
  });
});

describe('a listing', () => {
  test('that the Hub itself refuses is not looked for elsewhere', async () => {
    for (const [status, code] of [
      [404, 'RevisionNotFound'],
      [400, 'SomethingNew'],
    ] as const) {
      otherwise = { status, headers: { 'X-Error-Code': code } };
      await expect(listed()).rejects.toThrow(code);
    }
    expect(asked).toHaveLength(2);
  });

  test.each([
    ['nothing else', {}],
    ['another commit', { '/api/models/o/m': json({ sha: 'e'.repeat(40), siblings: [{ rfilename: 'f' }] }) }],
    ['no files', { [`/api/models/o/m/revision/${COMMIT}`]: json({ sha: COMMIT }) }],
    ['files without names', { [`/api/models/o/m/revision/${COMMIT}`]: json({ sha: COMMIT, siblings: [{}, null] }) }],
  ])('that is not there is not told as a missing repo where there is %s', async (_, there) => {
    pages = there;
    await expect(listed()).rejects.toMatchObject({
      code: 'HubProtocol',
      message: expect.stringContaining('HF_ENDPOINT') as string,
    });
  });

  test('whose next page is on the Hub behind a mirror is read from the description of the repo', async () => {
    const first = [{ type: 'file', path: 'a', size: 3, oid: GIT_SHA1 }];
    pages = {
      [`/api/models/o/m/tree/${COMMIT}`]: {
        ...json(first),
        headers: { Link: `<https://hub.example/api/models/o/m/tree/x?cursor=1>; rel="next"` },
      },
      [`/api/models/o/m/revision/${COMMIT}`]: json({ sha: COMMIT, siblings: [{ rfilename: 'a' }, { rfilename: 'b' }] }),
    };
    await expect(listed()).resolves.toEqual([{ path: 'a' }, { path: 'b' }]);
  });

  test('may leave out digests and sizes, and an oid beside LFS is none of them', async () => {
    pages = {
      [`/api/models/o/m/tree/${COMMIT}`]: json([
        { type: 'file', path: 'a' },
        { type: 'file', path: 'b', size: 3, oid: null },
        { type: 'file', path: 'c', size: 3, oid: POINTER, lfs: {} },
        { type: 'file', path: 'd', size: 3, oid: POINTER, lfs: { oid: `sha256:${SHA256.toUpperCase()}` } },
        { type: 'file', path: 'e', size: 3, oid: GIT_SHA1, lfs: null },
      ]),
    };
    await expect(listed()).resolves.toEqual([
      { path: 'a' },
      { path: 'b', size: 3 },
      { path: 'c', size: 3 },
      { path: 'd', size: 3, digest: { algorithm: 'sha256', hex: SHA256 } },
      { path: 'e', size: 3, digest: { algorithm: 'gitSha1', hex: GIT_SHA1 } },
    ]);
  });
});

describe('a file whose listing has no digest', () => {
  const file = `/o/m/resolve/${COMMIT}/f`;
  const sha256 = { algorithm: 'sha256', hex: SHA256 };
  const gitSha1 = { algorithm: 'gitSha1', hex: GIT_SHA1 };
  const elsewhere = { status: 302, headers: { Location: '/there' } };

  beforeEach(() => {
    pages = { [`/api/models/o/m/tree/${COMMIT}`]: json([{ type: 'file', path: 'f' }]) };
  });

  const length = { 'Content-Length': '3' };
  test.each<[string, Answer, object]>([
    ['its ETag', { headers: { ETag: `"${GIT_SHA1}"`, ...length } }, gitSha1],
    ['an ETag without quotes', { headers: { ETag: GIT_SHA1.toUpperCase(), ...length } }, gitSha1],
    ['a weak ETag', { headers: { ETag: `W/"${GIT_SHA1}"`, ...length } }, gitSha1],
    ['an ETag of 64 digits', { headers: { ETag: `"${SHA256}"`, ...length } }, sha256],
    [
      'X-Linked-ETag, before the ETag of the pointer',
      {
        headers: { ETag: `"${POINTER}"`, 'X-Linked-ETag': `"${SHA256}"`, 'X-Linked-Size': '3', 'Content-Length': '99' },
      },
      sha256,
    ],
  ])('is checked by %s', async (_, answer, digest) => {
    pages[file] = answer;
    await expect(complete()).resolves.toEqual([{ path: 'f', size: 3, digest }]);
  });

  test('is checked by what a redirect on the same host leads to, and by what that redirect says', async () => {
    pages[file] = { ...elsewhere, headers: { ...elsewhere.headers, ETag: `"${POINTER}"`, 'X-Linked-Size': '3' } };
    pages['/there'] = { headers: { ETag: `"${SHA256}"`, 'Content-Length': '99' } };
    await expect(complete()).resolves.toEqual([{ path: 'f', size: 3, digest: sha256 }]);
  });

  test.each<[string, Answer['headers'], Answer, object | undefined]>([
    ['the SHA-256 that the Hub says', { 'X-Linked-ETag': SHA256 }, { headers: { ...length, ETag: '"x"' } }, sha256],
    ['the SHA-256 that the CDN says', {}, { headers: { ETag: `"${SHA256}"`, ...length } }, sha256],
    ['not the ETag of the pointer', { ETag: `"${POINTER}"`, 'X-Linked-Size': '3' }, { status: 403 }, undefined],
    ['not 40 digits of a CDN', {}, { headers: { ETag: `"${GIT_SHA1}"`, ...length } }, undefined],
  ])('on a CDN is checked by %s', async (_, said, there, digest) => {
    const tokens: (string | undefined)[] = [];
    const cdn = await startServer(({ headers }, response) => {
      tokens.push(headers.authorization);
      response.writeHead(there.status ?? 200, there.headers).end();
    });
    try {
      pages[file] = { status: 302, headers: { Location: `${cdn.origin}/f?Signature=s3cret`, ...said } };
      const found = completeFiles(hub, { repo: 'o/m', commit: COMMIT }, { files: [{ path: 'f' }], token: 'hf_x' });
      if (digest === undefined) await expect(found).rejects.toMatchObject({ code: 'HubProtocol' });
      else await expect(found).resolves.toEqual([{ path: 'f', size: 3, digest }]);
      expect(tokens).toEqual([undefined]);
    } finally {
      await cdn.close();
    }
  });

  describe('on a CDN to which no HEAD may be made', () => {
    const said = { 'X-Linked-ETag': `"${SHA256}"` };
    const listedSize = { type: 'file', path: 'f', size: 3 };

    async function completeBy(status: number, headers: Answer['headers']): Promise<HubFile[]> {
      const cdn = await startServer((_, response) => response.writeHead(status).end());
      try {
        pages[file] = { status: 302, headers: { Location: `${cdn.origin}/f?Signature=s3cret`, ...headers } };
        return await complete();
      } finally {
        await cdn.close();
      }
    }

    test.each([403, 503, 429])('is checked by what listing and Hub say, whatever the CDN says: %i', async (status) => {
      pages[`/api/models/o/m/tree/${COMMIT}`] = json([listedSize]);
      await expect(completeBy(status, said)).resolves.toEqual([{ path: 'f', size: 3, digest: sha256 }]);
    });

    test.each([400, 401, 403, 404, 405, 410, 501])('says what the Hub says and no more: %i', async (status) => {
      const cdn = await startServer((_, response) => response.writeHead(status).end());
      pages[file] = { status: 302, headers: { Location: `${cdn.origin}/f`, ...said } };
      const described = hub.describe({ repo: 'o/m', commit: COMMIT, path: 'f' });
      await expect(described.finally(() => cdn.close())).resolves.toEqual({ digest: sha256 });
      await expect(completeBy(status, said)).rejects.toThrow('says no size of "f"');
    });

    test.each([500, 502, 503, 429, 408])('may be asked later: %i', async (status) => {
      for (const headers of [said, {}]) {
        await expect(completeBy(status, headers)).rejects.toMatchObject({ permanent: false });
      }
    });

    test('may be asked later where it does not answer', async () => {
      const cdn = await startServer(({ socket }) => socket.destroy());
      pages[file] = { status: 302, headers: { Location: `${cdn.origin}/f`, ...said } };
      await expect(complete().finally(() => cdn.close())).rejects.toMatchObject({ permanent: false });
    });
  });

  test.each<[string, Answer]>([
    ['no ETag', { headers: length }],
    ['an MD5', { headers: { ETag: `"${'a'.repeat(32)}"`, ...length } }],
    ['the ETag of an upload in parts', { headers: { ETag: `"${'a'.repeat(32)}-2"`, ...length } }],
    ['no size', { headers: { ETag: `"${SHA256}"`, 'Transfer-Encoding': 'chunked' } }],
    [
      'a size that is none',
      { headers: { 'X-Linked-ETag': SHA256, 'X-Linked-Size': '3 MB', 'Transfer-Encoding': 'chunked' } },
    ],
    ['no HEAD', { status: 405 }],
    ['no HEAD of any file', { status: 501 }],
  ])('is refused by its name for good where there is %s', async (_, answer) => {
    pages[file] = answer;
    await expect(complete()).rejects.toMatchObject({
      code: 'HubProtocol',
      permanent: true,
      message: expect.stringMatching(/says no (?:digest|size) of "f" of o\/m@c.*--exclude.*HF_ENDPOINT/) as string,
    });
  });

  test('and is not there is told so', async () => {
    await expect(complete()).rejects.toMatchObject({ code: 'EntryNotFound' });
  });

  test('and comes under another commit is refused', async () => {
    pages[file] = { headers: { ...length, ETag: GIT_SHA1, 'X-Repo-Commit': 'e'.repeat(40) } };
    await expect(complete()).rejects.toThrow('a file of another commit');
  });

  test('is asked for only where anything is missing', async () => {
    pages[`/api/models/o/m/tree/${COMMIT}`] = json([{ type: 'file', path: 'f', size: 3, oid: GIT_SHA1 }]);
    await expect(complete()).resolves.toHaveLength(1);
    expect(asked).toHaveLength(1);
  });
});

test('a data set is addressed as the Hub does it', async () => {
  pages = {
    '/api/datasets/o/n/revision/main': json({ sha: COMMIT }),
    [`/api/datasets/o/n/tree/${COMMIT}`]: json([{ type: 'file', path: 'f' }]),
    [`/datasets/o/n/resolve/${COMMIT}/f`]: { headers: { 'Content-Length': '3', ETag: GIT_SHA1 } },
    '/api/datasets/old': json({ sha: COMMIT }),
  };
  await expect(hub.resolveRevision('datasets/o/n', 'main')).resolves.toMatchObject({ commit: COMMIT });
  await expect(hub.resolveRevision('datasets/old', 'main')).resolves.toMatchObject({ commit: COMMIT });
  for await (const { path } of hub.listFiles('datasets/o/n', COMMIT)) expect(path).toBe('f');
  await expect(hub.describe({ repo: 'datasets/o/n', commit: COMMIT, path: 'f' })).resolves.toMatchObject({ size: 3 });
});

test('a commit in capitals is asked for as the Hub writes it', async () => {
  pages = { [`/api/models/o/m/revision/${COMMIT}`]: json({ sha: COMMIT }) };
  await expect(hub.resolveRevision('o/m', COMMIT.toUpperCase())).resolves.toMatchObject({ commit: COMMIT });
});
