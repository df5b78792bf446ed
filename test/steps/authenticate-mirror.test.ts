import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openHub } from '../../src/hub/open-hub.js';
import { authenticate } from '../../src/steps/authenticate.js';
import { startServer, type LocalServer } from '../helpers/local-server.js';

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const commit = 'a'.repeat(40);
const { signal } = new AbortController();
const known: Answer = { body: JSON.stringify({ sha: commit }) };
const json = (status: number, error: string): Answer => ({ status, body: JSON.stringify({ error }) });
const bearer = { 'WWW-Authenticate': 'Bearer realm="Artifactory Realm"', 'Content-Type': 'application/json' };
const artifactory: Answer = {
  status: 401,
  headers: bearer,
  body: '{"errors":[{"status":401,"message":"Bad credentials"}]}',
};

let server: LocalServer;
/** Answers by the end of the path; everything else is not there. */
let pages: Record<string, Answer>;

beforeEach(async () => {
  pages = {};
  server = await startServer(({ url = '' }, response) => {
    const path = url.replace(/\?.*/, '');
    const [, answer] =
      Object.entries(pages).find(([end]) => path.endsWith(end) || (end === '?' && url.includes(end))) ?? [];
    const { status = 200, headers = {}, body } = answer ?? { status: 404 };
    response.writeHead(status, headers).end(body);
  });
});

afterEach(() => server.close());

function ask(token: string | undefined = 'hf_token') {
  const needs = {
    hub: openHub({ endpoint: server.origin }),
    readToken: () => Promise.resolve(token === '' ? undefined : token),
    destinations: { store: 's3://bucket/', allowedRoots: [], anywhere: false, files: false },
  };
  return authenticate(needs, { repo: 'o/m', revision: 'main' }, { signal });
}

describe('where the revision is known for this token, the check of access', () => {
  test.each<[string, Answer]>([
    ['403 without a word', { status: 403 }],
    ['401 without a word', { status: 401 }],
    ['403 in words of others', json(403, 'Forbidden')],
    ['401 in words of others', json(401, 'Unauthorized')],
    ['401 that asks for credentials', artifactory],
    ['410 in words', json(410, 'Not Found')],
    ['410 without a word', { status: 410 }],
    ['404 in words', json(404, 'Not Found')],
  ])('is not believed that ends with %s', async (_, answer) => {
    pages = { '/revision/main': known, '/auth-check': answer };
    await expect(ask()).resolves.toMatchObject({ commit });
    await expect(ask('')).resolves.toMatchObject({ commit });
  });

  test.each<[string, Answer]>([
    ['GatedRepo', { status: 403, headers: { 'X-Error-Code': 'GatedRepo' } }],
    ['GatedRepo', json(403, 'Enable access to public gated repositories.')],
    ['RepoNotFound', { status: 404, headers: { 'X-Error-Code': 'RepoNotFound' } }],
    ['InvalidToken', json(401, 'Invalid credentials in Authorization header')],
    ['DisabledRepo', json(403, 'Access to this resource is disabled.')],
  ])('is believed that says %s: %j', async (code, answer) => {
    pages = { '/revision/main': known, '/auth-check': answer };
    await expect(ask()).rejects.toMatchObject({ code });
  });

  test('is believed about the token where whoami says 401, and not where something else asks for credentials', async () => {
    pages = { '/revision/main': known, '/whoami-v2': { status: 401 } };
    await expect(ask()).rejects.toMatchObject({ code: 'InvalidToken' });
    pages = { '/revision/main': known, '/whoami-v2': artifactory };
    await expect(ask()).resolves.toMatchObject({ commit });
  });
});

describe('a server that asks for credentials in words of its own', () => {
  test.each<[string, Answer]>([
    ['JSON', artifactory],
    ['a page', { status: 401, headers: { 'WWW-Authenticate': 'Basic', 'Content-Type': 'text/html' }, body: '<html>' }],
    ['nothing', { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="Nexus"' } }],
  ])('refuses the token, or wants one: %s', async (_, answer) => {
    pages = { '': answer };
    await expect(ask()).rejects.toMatchObject({ code: 'InvalidToken', details: { status: 401 } });
    const failure = ask('');
    await expect(failure).rejects.toMatchObject({ code: 'RepoNotFound' });
    await expect(failure).rejects.toThrow('set a token');
  });
});

describe('a missing repo on a mirror that refuses its longer questions', () => {
  test.each<[string, Answer]>([
    ['400 with a page', { status: 400, headers: { 'Content-Type': 'text/html' }, body: '<html>Bad Request' }],
    ['400', { status: 400 }],
    ['404 without a word', { status: 404 }],
    ['405', { status: 405 }],
    ['502', { status: 502 }],
    ['a page for people', { headers: { 'Content-Type': 'text/html' }, body: '<html>' }],
  ])('is told as missing: %s', async (_, refused) => {
    const missing = json(404, 'Repository not found');
    pages = { ...pages, '?': refused, '': missing };
    const hub = openHub({ endpoint: server.origin });
    await expect(hub.resolveRevision('o/m', 'v1')).rejects.toMatchObject({ code: 'RepoNotFound' });
    const list = async () => {
      for await (const { path } of hub.listFiles('o/m', commit)) expect(path).toBe('');
    };
    await expect(list()).rejects.toMatchObject({ code: 'RepoNotFound' });
  });
});
