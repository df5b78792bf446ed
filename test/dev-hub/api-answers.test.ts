import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { seededContent } from '../../src/dev-hub/seeded-content.js';
import { readContent } from './read-content.js';
import { ask, files, paths, refusal, start, weights } from './sample-hub.js';

describe('the API', () => {
  test('tells about a repo and its revisions', async () => {
    const { commitOf } = await start();
    const info = (await ask('/api/models/o/m')).json();
    expect(info).toMatchObject({ id: 'o/m', sha: commitOf('o/m', 'main'), private: false, gated: false, tags: [] });
    expect(info).toMatchObject({
      siblings: Object.keys(files)
        .sort()
        .map((rfilename) => ({ rfilename })),
    });
    expect((await ask('/api/models/o/m/revision/v1')).json()).toMatchObject({ sha: commitOf('o/m', 'v1') });
    expect((await ask('/api/models/o/m?expand=sha&expand[]=gated')).json()).toEqual({
      _id: expect.any(String) as string,
      id: 'o/m',
      sha: commitOf('o/m', 'main'),
      gated: false,
    });
    expect(await refusal('/api/models/o/m/revision/nope')).toEqual({ status: 404, code: 'RevisionNotFound' });
  });

  test('gives sizes and digests with blobs, under the key that is used only there', async () => {
    await start();
    const sha256 = createHash('sha256').update('tiny').digest('hex');
    const lfs = { sha256, size: 4, pointerSize: 124 + 2 };
    expect((await ask('/api/models/o/m?blobs=True')).json()).toMatchObject({
      siblings: expect.arrayContaining([
        { rfilename: 'README.md', size: 6, blobId: 'ce013625030ba8dba906f756967f9e9ca394464a' },
        { rfilename: 'a/small.safetensors', size: 4, blobId: expect.any(String) as string, lfs },
      ]) as unknown[],
    });
  });

  test('lists a directory, with and without what is below it', async () => {
    await start();
    expect(await paths('/api/models/o/m/tree/main')).toEqual([
      'README.md',
      'a',
      'a b#c%d.txt',
      'empty.txt',
      'model.safetensors',
    ]);
    const all = [
      'README.md',
      'a',
      'a b#c%d.txt',
      'a/b',
      'a/b/c.txt',
      'a/small.safetensors',
      ...['empty.txt', 'model.safetensors'],
    ];
    expect(await paths('/api/models/o/m/tree/main?recursive=True&expand=False')).toEqual(all);
    expect(await paths('/api/models/o/m/tree/main?recursive=true')).toEqual(all);
    expect(await paths('/api/models/o/m/tree/main/a')).toEqual(['a/b', 'a/small.safetensors']);
    expect(await paths('/api/models/o/m/tree/main/a%2Fb')).toEqual(['a/b/c.txt']);
    expect(await paths('/api/models/o/m/tree/main/a/b')).toEqual(['a/b/c.txt']);
    const [, , , , entry] = (await ask('/api/models/o/m/tree/main?expand=true')).json() as unknown[];
    expect(entry).toMatchObject({
      type: 'file',
      size: weights.size,
      lfs: {
        oid: createHash('sha256')
          .update(await readContent(seededContent(weights)))
          .digest('hex'),
      },
      lastCommit: { title: 'Add files' },
    });
  });

  test.each(['nowhere', 'README.md', 'a/b/'])('answers for the sub-path %s as the Hub does', async (path) => {
    const { commitOf } = await start();
    const { status, headers } = await ask(`/api/models/o/m/tree/main/${path}`);
    if (path.endsWith('/')) expect(status).toBe(200);
    else expect([status, headers['x-error-code']]).toEqual([404, 'EntryNotFound']);
    if (status === 404) expect(headers['x-repo-commit']).toBe(commitOf('o/m', 'main'));
  });

  test('gives pages whose link is absolute and by the name that the client used', async () => {
    await start({ pageSize: 3 });
    const first = await ask('/api/models/o/m/tree/main?recursive=true', { headers: { Host: 'hub.test:99' } });
    const link = /^<http:\/\/hub\.test:99(\/[^>]+)>; rel="next"$/.exec(String(first.headers.link))?.[1] ?? '';
    const second = await ask(link);
    const third = await ask(/<http:\/\/[^/]+([^>]+)>/.exec(String(second.headers.link))?.[1] ?? '');
    expect(third.headers.link).toBeUndefined();
    const pages = [first, second, third].map((page) => page.json() as { path: string }[]);
    expect(pages.map((page) => page.length)).toEqual([3, 3, 2]);
    expect(new Set(pages.flat().map(({ path }) => path)).size).toBe(8);
    expect(await paths('/api/models/o/m/tree/main?recursive=true&limit=1')).toHaveLength(1);
    expect(await paths('/api/models/o/m/tree/main?recursive=true&cursor=rubbish')).toHaveLength(3);
  });

  test('stats paths asked as a form or as JSON, and leaves out what is missing', async () => {
    await start();
    const found = ['README.md', 'a'];
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const json = { 'Content-Type': 'application/json' };
    const post = (headers: Record<string, string>, body: string) =>
      ask('/api/models/o/m/paths-info/main', { method: 'POST', headers, body });
    const names = async (reply: ReturnType<typeof post>) =>
      ((await reply).json() as { path: string }[]).map(({ path }) => path);
    expect(await names(post(form, 'paths=README.md&paths=a&paths=nowhere&expand=False'))).toEqual(found);
    expect(await names(post(json, '{"paths":["README.md","a","nowhere",5]}'))).toEqual(found);
    expect(await names(post(json, '{"paths":"README.md","expand":true}'))).toEqual(['README.md']);
    for (const body of ['{', 'null', '{}']) expect((await post(json, body)).status).toBe(400);
  });

  test('lists refs', async () => {
    const { commitOf } = await start();
    expect((await ask('/api/models/o/m/refs')).json()).toEqual({
      branches: [{ name: 'main', ref: 'refs/heads/main', targetCommit: commitOf('o/m', 'main') }],
      tags: [{ name: 'v1', ref: 'refs/tags/v1', targetCommit: commitOf('o/m', 'v1') }],
      converts: [],
    });
  });

  test.each(['/api/agent-harnesses', '/', '/nothing', '/api/spaces/o/m', '/o/m', '/%2e%2e/%2e%2e'])(
    'answers 404 to %s',
    async (path) => {
      await start();
      expect((await ask(path)).status).toBe(404);
    }
  );

  test('answers 400 to a path that is not percent-encoded, and 405 to other methods', async () => {
    await start();
    expect((await ask('/o/m/resolve/main/%zz')).status).toBe(400);
    expect((await ask('/api/models/o/m', { method: 'DELETE' })).status).toBe(405);
  });
});
