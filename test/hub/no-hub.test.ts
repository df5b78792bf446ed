import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Hub } from '../../src/hub/hub.js';
import { openHub } from '../../src/hub/open-hub.js';
import { isCertificateError } from '../../src/http/certificate-errors.js';
import { startServer, type LocalServer } from '../helpers/local-server.js';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';

const run = promisify(execFile);
const COMMIT = 'c'.repeat(40);

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const xml = { 'Content-Type': 'application/xml', Server: 'MinIO' };
const html = { 'Content-Type': 'text/html; charset=utf-8' };
const s3 = (code: string) => `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`;

describe('what is no Hub is told for good in one line, with HF_ENDPOINT and what came', () => {
  test.each<[string, Answer, RegExp]>([
    ['an S3 server', { status: 404, headers: xml, body: s3('NoSuchBucket') }, /404, application\/xml from MinIO/],
    [
      'an S3 server that lets nobody in',
      { status: 403, headers: xml, body: s3('AccessDenied') },
      /403, application\/xml/,
    ],
    ['the page of a portal', { headers: html, body: '<html>Sign in' }, /expected JSON, got "text\/html/],
    ['the page of a proxy that wants a password', { status: 407, headers: html, body: '<html>' }, /407, text\/html/],
    ['a page that nobody may see', { status: 401, headers: html, body: '<html>' }, /401, text\/html/],
    [
      'a page in plain words',
      { status: 404, headers: { 'Content-Type': 'text/plain' }, body: '404 page' },
      /404, text/,
    ],
    ['another API', { status: 404, headers: {}, body: '{"detail":"Not Found"}' }, /404, a body without a type/],
    ['an API of models', { status: 404, headers: {}, body: '{"error":{"message":"?"}}' }, /404, a body without a type/],
    ['a server without words', { status: 404 }, /status 404.*/],
    ['a server that wants another method', { status: 405 }, /status 405/],
    ['a server that was asked without TLS', { status: 400, headers: html, body: 'plain HTTP to HTTPS' }, /400, text/],
    ['an empty answer', { status: 204 }, /expected JSON, got "nothing"/],
    ['JSON of something else', { body: '{"models":[]}' }, /the field sha is no commit/],
    ['a redirect to itself', { status: 302, headers: { Location: '/login' } }, /more than 6 redirects/],
  ])('%s', async (_, { status = 200, headers = {}, body }, what) => {
    const server = await startServer((__, response) => response.writeHead(status, headers).end(body));
    try {
      await expectNoHub(openHub({ endpoint: server.origin }), server.origin, what);
    } finally {
      await server.close();
    }
  });

  test.each<[string, Answer, RegExp]>([
    ['a login page', { headers: html, body: '<html>' }, /got "text\/html; charset=utf-8" from http:/],
    ['a login page that lets nobody in', { status: 403, headers: html, body: '<html>' }, /leads to http:.*status 403/],
    ['nothing', { status: 404 }, /leads to http:.*status 404/],
  ])('a redirect to another host with %s', async (_, { status = 200, headers = {}, body }, what) => {
    const login = await startServer((__, response) => response.writeHead(status, headers).end(body));
    const server = await startServer((__, response) => {
      response.writeHead(302, { Location: `${login.origin}/login?next=s3cret` }).end();
    });
    try {
      await expectNoHub(openHub({ endpoint: server.origin }), server.origin, what);
    } finally {
      await Promise.all([login.close(), server.close()]);
    }
  });
});

async function expectNoHub(hub: Hub, origin: string, what: RegExp): Promise<void> {
  const listing = async () => {
    for await (const file of hub.listFiles('o/m', COMMIT)) throw new Error(file.path);
  };
  for (const ask of [() => hub.resolveRevision('o/m', 'main', { token: 'hf_x' }), listing]) {
    const error: unknown = await ask().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'HubProtocol', permanent: true });
    const { message } = error as Error;
    expect(message).toContain(origin);
    expect(message).toContain('HF_ENDPOINT');
    expect(message).not.toMatch(/\n|s3cret/);
  }
  await expect(hub.resolveRevision('o/m', 'main', { token: 'hf_x' })).rejects.toThrow(what);
}

describe('an outage of the host that a redirect leads to', () => {
  test.each([500, 503, 429])('is an outage: %i', async (status) => {
    const other = await startServer((_, response) => response.writeHead(status, { 'Retry-After': '7' }).end());
    const server = await startServer((_, response) => response.writeHead(302, { Location: other.origin }).end());
    try {
      await expect(openHub({ endpoint: server.origin }).resolveRevision('o/m', 'main')).rejects.toMatchObject({
        code: 'HubUnavailable',
        retryAfterMs: 7_000,
      });
    } finally {
      await Promise.all([other.close(), server.close()]);
    }
  });
});

describe('a Hub on TLS', () => {
  let folder: string;
  let secure: { readonly origin: string; close(): Promise<void> };
  let plain: LocalServer;

  beforeAll(async () => {
    folder = await createTmpFolder();
    secure = await startSecureServer(folder);
    plain = await startServer((_, response) => response.end('{}'));
  });

  afterAll(async () => {
    await Promise.all([secure.close(), plain.close()]);
    await removeFolder(folder);
  });

  test('whose certificate nobody vouches for is told for good, with what repairs it', async () => {
    const hub = openHub({ endpoint: secure.origin });
    const file = { repo: 'o/m', commit: COMMIT, path: 'f', size: 3 };
    for (const call of [() => hub.resolveRevision('o/m', 'main'), () => hub.locate(file), () => hub.read(file)]) {
      await expect(call()).rejects.toMatchObject({
        code: 'HubProtocol',
        permanent: true,
        message: expect.stringMatching(
          /certificate of https:\/\/127\.0\.0\.1:\d+ .*DEPTH_ZERO_SELF_SIGNED_CERT.*HF_ENDPOINT.*NODE_EXTRA_CA_CERTS/
        ) as string,
      });
    }
  });

  test('that sends on to a CDN with such a certificate is told so too', async () => {
    const hub = await startServer((_, response) =>
      response.writeHead(302, { Location: `${secure.origin}/f?a=b` }).end()
    );
    try {
      const read = openHub({ endpoint: hub.origin }).read({ repo: 'o/m', commit: COMMIT, path: 'f', size: 3 });
      await expect(read).rejects.toMatchObject({
        code: 'HubProtocol',
        message: expect.stringMatching(new RegExp(`certificate of ${secure.origin} `)) as string,
      });
    } finally {
      await hub.close();
    }
  });

  test('which is none at that port is told for good', async () => {
    const endpoint = plain.origin.replace('http:', 'https:');
    await expect(openHub({ endpoint }).resolveRevision('o/m', 'main')).rejects.toMatchObject({
      code: 'HubProtocol',
      message: expect.stringMatching(/does not speak TLS .*HF_ENDPOINT/) as string,
    });
  });
});

test.each([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])('%s is an error of a certificate', (code) => {
  expect(isCertificateError(code)).toBe(true);
});

test.each(['ECONNREFUSED', 'EPROTO', 'ENOTFOUND', ''])('"%s" is none of a certificate', (code) => {
  expect(isCertificateError(code)).toBe(false);
});

/** A server whose certificate it gave itself. */
async function startSecureServer(folder: string) {
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  await run('openssl', ['req', '-x509', ...newKey, '-out', certFile, '-days', '2', '-subj', '/CN=hub.test']);
  const server = createSecureServer({ key: await readFile(keyFile), cert: await readFile(certFile) }, (_, response) => {
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
