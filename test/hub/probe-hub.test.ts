import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startDevHub } from '../../src/dev-hub/index.js';
import { probeHub } from '../../src/hub/probe-hub.js';
import { makeCertificate } from '../helpers/certificates.js';
import { startServer } from '../helpers/local-server.js';
import { startMirror } from '../helpers/mirror.js';
import { tmpFolder } from '../helpers/tmp.js';

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const html = { 'Content-Type': 'text/html' };
const xml = { 'Content-Type': 'application/xml', Server: 'MinIO' };

describe('what is no Hub is told apart without a repo', () => {
  test.each<[string, Answer, RegExp]>([
    [
      'an S3 server',
      { status: 404, headers: xml, body: '<?xml version="1.0"?><Error/>' },
      /application\/xml from MinIO/,
    ],
    ['an S3 server that lets nobody in', { status: 403, headers: xml, body: '<Error/>' }, /status 403/],
    ['a portal', { headers: html, body: '<html>Sign in' }, /text\/html \(status 200\)/],
    ['a portal that says no type', { body: '<!doctype html><title>Sign in' }, /status 200/],
    [
      'a server that wants TLS and says so',
      { status: 400, headers: html, body: 'The plain HTTP request was sent to HTTPS port' },
      /perhaps https:/,
    ],
  ])('%s', async (_name, answer, expected) => {
    await expect(probe(await serve(answer))).rejects.toThrow(/^HubProtocol: http:\/\/127\.0\.0\.1:\d+ is no Hub: /);
    await expect(probe(await serve(answer))).rejects.toThrow(expected);
    await expect(probe(await serve(answer))).rejects.toThrow(/Check HF_ENDPOINT$/);
  });

  test('a portal, with a token too', async () => {
    const portal = await serve({ headers: html, body: '<html>Welcome' });
    await expect(probe(portal, 'hf_mine')).rejects.toThrow(/^HubProtocol: /);
  });

  test('a store, which gets no token', async () => {
    const seen: unknown[] = [];
    const store = await startServer(({ headers }, response) => {
      seen.push(headers.authorization);
      response.writeHead(404, xml).end('<Error/>');
    });
    onTestFinished(() => store.close());
    await expect(probe(store.origin, 'hf_mine')).rejects.toThrow(/^HubProtocol: /);
    expect(seen).toEqual([undefined, undefined, undefined]);
  });

  test('a server that has TLS only and hangs up, and one whose certificate nobody knows', async () => {
    const { key, cert } = await makeCertificate(await tmpFolder());
    const server = createServer({ key, cert }, (_request, response) => response.end('{}'));
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await expect(probe(`http://127.0.0.1:${String(port)}`)).rejects.toThrow(/^HubProtocol: .*perhaps https:/);
    await expect(probe(`https://127.0.0.1:${String(port)}`)).rejects.toThrow(/^HubProtocol: .*not trusted/);
  });

  test('nobody, which may pass', async () => {
    await expect(probe('http://127.0.0.1:9')).rejects.toThrow(/^HubUnavailable: .*ECONNREFUSED/);
  });
});

describe('a Hub or a mirror is never refused', () => {
  test('a Hub, and a mirror that passes its answers on', async () => {
    const hub = await startDevHub({
      repos: [{ id: 'org/tiny', commits: [{ files: { 'config.json': { bytes: new TextEncoder().encode('{}') } } }] }],
    });
    onTestFinished(() => hub.close());
    expect((await probe(hub.url)).kind).toBe('hub');
    const mirror = await startMirror(hub.url);
    onTestFinished(() => mirror.close());
    expect((await probe(mirror.origin)).kind).toBe('hub');
  });

  test.each<[string, Answer]>([
    ['a bad request with a page', { status: 400, headers: html, body: '<html>Bad Request</html>' }],
    ['a page that is not found', { status: 404, headers: html, body: '<html>nginx' }],
    ['a page that nobody may see', { status: 403, headers: html, body: '<html>' }],
    ['nothing', { status: 404 }],
    ['plain words', { status: 404, headers: { 'Content-Type': 'text/plain' }, body: 'not found' }],
    ['another method', { status: 405 }],
    ['no such method', { status: 401, headers: { 'WWW-Authenticate': 'Basic' } }],
    ['a redirect that leads nowhere', { status: 302, headers: { Location: 'http://127.0.0.1:9/' } }],
    ['a redirect in circles', { status: 302, headers: { Location: '/x' } }],
  ])('one that answers what it does not know with %s', async (_name, answer) => {
    expect((await probe(await serve(answer))).kind).toBe('unknown');
  });

  test('one that shows a page for what it does not know, and describes its repos', async () => {
    const server = await startServer(({ url = '' }, response) => {
      if (url.includes('/revision/')) response.writeHead(404).end('{"error":"no such repo"}');
      else response.writeHead(200, html).end('<html>Welcome');
    });
    onTestFinished(() => server.close());
    expect((await probe(server.origin)).kind).toBe('hub');
  });

  test('one behind a login is known by a token, which is sent to no login', async () => {
    const atLogin: unknown[] = [];
    const login = await startServer(({ headers }, response) => {
      atLogin.push(headers.authorization);
      response.writeHead(200, html).end('<html>Sign in');
    });
    onTestFinished(() => login.close());
    const mirror = await startServer(({ headers }, response) => {
      if (headers.authorization === 'Bearer hf_good') response.writeHead(200).end('{"name":"me"}');
      else response.writeHead(302, { Location: `${login.origin}/login` }).end();
    });
    onTestFinished(() => mirror.close());
    expect((await probe(mirror.origin, 'hf_good')).kind).toBe('hub');
    expect((await probe(mirror.origin, 'hf_other')).kind).toBe('unknown');
    expect(await probe(mirror.origin)).toMatchObject({
      kind: 'unknown',
      answers: expect.stringContaining('redirect') as string,
    });
    expect(new Set(atLogin)).toEqual(new Set([undefined]));
  });

  test('one that shows its login in place is known by a token', async () => {
    const mirror = await startServer(({ headers }, response) => {
      if (headers.authorization === undefined) response.writeHead(200, html).end('<html>Sign in');
      else response.writeHead(200).end('{"name":"me"}');
    });
    onTestFinished(() => mirror.close());
    expect((await probe(mirror.origin, 'hf_good')).kind).toBe('hub');
  });

  test.each([500, 502, 503, 504, 429])('one that is unwell: status %i', async (status) => {
    expect((await probe(await serve({ status, headers: html, body: '<html>' }))).kind).toBe('unwell');
  });
});

function probe(endpoint: string, token?: string) {
  return probeHub({ endpoint, userAgent: 'test', timeoutMs: 5_000, ...(token === undefined ? {} : { token }) });
}

async function serve({ status = 200, headers = {}, body }: Answer): Promise<string> {
  const server = await startServer((_request, response) => response.writeHead(status, headers).end(body));
  onTestFinished(() => server.close());
  return server.origin;
}
