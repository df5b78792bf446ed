import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { seededContent } from '../../src/dev-hub/seeded-content.js';
import { hubRequest } from './hub-request.js';
import { readContent } from './read-content.js';
import { ask, refusal, start, weights } from './sample-hub.js';

describe('files', () => {
  test('a small file comes at once where that is asked for', async () => {
    const { commitOf } = await start({ smallFiles: 'direct' });
    const { status, headers, body } = await ask('/o/m/resolve/main/README.md');
    expect([status, body.toString()]).toEqual([200, 'hello\n']);
    expect(headers).toMatchObject({
      'x-repo-commit': commitOf('o/m', 'main'),
      etag: '"ce013625030ba8dba906f756967f9e9ca394464a"',
      'content-length': '6',
      'accept-ranges': 'bytes',
      ratelimit: '"resolvers";r=100000;t=300',
    });
    const part = await ask('/o/m/resolve/main/README.md', { headers: { Range: 'bytes=1-2' } });
    expect([part.status, part.body.toString(), part.headers['content-range']]).toEqual([206, 'el', 'bytes 1-2/6']);
    const past = await ask('/o/m/resolve/main/README.md', { headers: { Range: 'bytes=6-' } });
    expect([past.status, past.headers['content-range']]).toEqual([416, 'bytes */6']);
    const head = await ask('/o/m/resolve/main/README.md', { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '6', 0]);
  });

  test('a small file is redirected to a relative place by default', async () => {
    const { commitOf } = await start();
    const commit = commitOf('o/m', 'main');
    const first = await ask('/o/m/resolve/main/a%20b%23c%25d.txt');
    expect(first.status).toBe(307);
    expect(first.headers).toMatchObject({
      'x-repo-commit': commit,
      etag: expect.stringMatching(/^"[0-9a-f]{40}"$/) as string,
    });
    expect(first.headers.location).toMatch(`/api/resolve-cache/models/o/m/${commit}/a%20b%23c%25d.txt?etag=%22`);
    const second = await ask(String(first.headers.location));
    expect([second.status, second.body.toString()]).toEqual([200, 'odd']);
    expect(second.headers).toMatchObject({ 'x-repo-commit': commit, etag: first.headers.etag });
  });

  test.each(['direct', 'redirect'] as const)(
    'an empty file comes whole, whatever range is asked (%s)',
    async (smallFiles) => {
      await start({ smallFiles });
      const first = await ask('/o/m/resolve/main/empty.txt');
      const place = first.headers.location ?? '/o/m/resolve/main/empty.txt';
      expect((await ask(place)).headers).toMatchObject({ 'content-length': '0' });
      const { status, headers, body } = await ask(place, { headers: { Range: 'bytes=0-0' } });
      expect([status, headers['content-length'], headers['content-range'], body.length]).toEqual([
        200,
        '0',
        'bytes */0',
        0,
      ]);
    }
  );

  test('a large file is redirected to the CDN, which serves ranges of it to anyone', async () => {
    const { commitOf, cdnUrl, requests } = await start();
    const bytes = await readContent(seededContent(weights));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const { status, headers } = await ask('/o/m/resolve/main/model.safetensors', { method: 'HEAD' });
    expect(status).toBe(302);
    expect(headers).toMatchObject({
      'x-repo-commit': commitOf('o/m', 'main'),
      'x-linked-etag': `"${sha256}"`,
      'x-linked-size': String(weights.size),
    });
    const location = new URL(String(headers.location));
    expect(location.origin).toBe(cdnUrl);
    const place = `${location.pathname}${location.search}`;
    const whole = await hubRequest(cdnUrl, place);
    expect([whole.status, whole.headers.etag, whole.headers['accept-ranges']]).toEqual([200, `"${sha256}"`, 'bytes']);
    expect(whole.body.equals(bytes)).toBe(true);
    const range = { Range: 'bytes=1048570-2097160', Authorization: 'Bearer hf_unknown' };
    const part = await hubRequest(cdnUrl, place, { headers: range });
    expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 1048570-2097160/2500000']);
    expect(part.body.equals(bytes.subarray(1048570, 2097161))).toBe(true);
    expect(requests.slice(1)).toMatchObject([
      {
        origin: 'cdn',
        method: 'GET',
        path: location.pathname,
        hadAuthorization: false,
        status: 200,
        bytesSent: 2_500_000,
      },
      { range: 'bytes=1048570-2097160', hadAuthorization: true, status: 206, bytesSent: 1_048_591 },
    ]);
    expect(JSON.stringify(requests)).not.toMatch(/Signature|hf_unknown/);
    for (const wrong of [
      place.replace(/Signature=./, 'Signature=x'),
      place.replace('Expires=', 'Expires=9'),
      location.pathname,
    ]) {
      expect((await hubRequest(cdnUrl, wrong)).status).toBe(403);
    }
    expect((await hubRequest(cdnUrl, place, { method: 'POST' })).status).toBe(405);
  });

  test('the CDN refuses a URL whose time is over', async () => {
    const { cdnUrl } = await start({ signedUrlSeconds: 0 });
    const { headers } = await ask('/o/m/resolve/main/model.safetensors');
    const reply = await hubRequest(cdnUrl, String(headers.location).slice(cdnUrl.length));
    expect([reply.status, reply.body.toString()]).toEqual([403, expect.stringContaining('Request has expired')]);
  });

  test('the redirect goes to the host by whose name the Hub was called', async () => {
    const { cdnUrl } = await start();
    const { headers } = await ask('/o/m/resolve/main/model.safetensors', { headers: { Host: 'hub.test:99' } });
    expect(String(headers.location)).toMatch(`http://hub.test:${new URL(cdnUrl).port}/o/m/`);
  });

  test('weights are LFS files however small, others from the threshold on', async () => {
    await start({ lfsThresholdBytes: 6 });
    expect((await ask('/o/m/resolve/main/a/small.safetensors')).status).toBe(302);
    expect((await ask('/o/m/resolve/main/README.md')).status).toBe(302);
    expect((await ask('/o/m/resolve/main/a/b/c.txt')).status).toBe(307);
  });

  test('raw gives the pointer of an LFS file', async () => {
    await start();
    const sha256 = createHash('sha256').update('tiny').digest('hex');
    expect((await ask('/o/m/raw/main/a/small.safetensors')).body.toString()).toBe(
      `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize 4\n`
    );
    expect((await ask('/o/m/raw/main/README.md')).body.toString()).toBe('hello\n');
  });

  test.each(['nowhere.txt', 'a', 'a/../README.md', '../README.md', '%2e%2e/m/README.md'])(
    'the path %s is no entry',
    async (path) => {
      const { commitOf } = await start();
      const { status, headers } = await ask(`/o/m/resolve/main/${path}`, { method: 'HEAD' });
      expect([status, headers['x-error-code'], headers['x-repo-commit']]).toEqual([
        404,
        'EntryNotFound',
        commitOf('o/m', 'main'),
      ]);
      expect(await refusal('/o/m/resolve/größe/README.md'.normalize())).toEqual({
        status: 404,
        code: 'RevisionNotFound',
      });
    }
  );

  test('a digest that is given is believed', async () => {
    const sha256 = 'ab'.repeat(32);
    await start({ repos: [{ id: 'o/m', commits: [{ files: { 'x.bin': { size: 2 ** 40, seed: 'x', sha256 } } }] }] });
    const { headers } = await ask('/o/m/resolve/main/x.bin', { method: 'HEAD' });
    expect(headers).toMatchObject({ 'x-linked-etag': `"${sha256}"`, 'x-linked-size': String(2 ** 40) });
  });
});
