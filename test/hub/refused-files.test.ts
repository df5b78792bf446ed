import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSource } from '../../src/hub/hub-source.js';
import { openHub } from '../../src/hub/open-hub.js';
import { withSecondTries } from '../../src/hub/second-tries.js';
import { readPolicy } from '../../src/transfer/budget/policies.js';
import { serveRange, startServer, type LocalServer } from '../helpers/local-server.js';
import { quickPolicies } from '../helpers/quick-policies.js';

const bytes = Buffer.from('0123456789');
const { signal } = new AbortController();
const html = { 'Content-Type': 'text/html' };

let server: LocalServer;
let asked: string[];
/** What answers in place of the file; nothing lets the file through. */
let instead: ((response: ServerResponse, method: string) => void) | undefined;

beforeEach(async () => {
  asked = [];
  server = await startServer((request, response) => {
    const { method = '' } = request;
    asked.push(method);
    if (instead !== undefined) instead(response, method);
    else if (method === 'GET') serveRange(bytes, request, response);
    else response.end();
  });
});

afterEach(() => server.close());

function source(triesOfHub: number) {
  const hub = openHub({ endpoint: server.origin });
  const file = {
    repo: 'o/m',
    commit: 'c'.repeat(40),
    path: 'f',
    size: bytes.length,
    digest: { algorithm: 'sha256', hex: 'd'.repeat(64) } as const,
  };
  const waits = Array.from({ length: triesOfHub - 1 }, () => 1);
  return openSource(withSecondTries(hub, waits), file, { policy: readPolicy(quickPolicies) });
}

async function readSome(triesOfHub: number): Promise<Buffer> {
  const into = Buffer.alloc(4);
  await source(triesOfHub).read({ start: 2, end: 6 }, into, { signal });
  return into;
}

const refusals: [string, (response: ServerResponse) => void][] = [400, 401, 403, 407, 418, 422].flatMap((status) => [
  [`${String(status)} with a page`, (response) => response.writeHead(status, html).end('<html>')],
]);

describe('a file that is refused without sense', () => {
  test.each([
    ...refusals,
    ['418 without a word', (response: ServerResponse) => response.writeHead(418).end()],
  ] as const)('ends its read for good after a few tries: %s', async (_, refuse) => {
    instead = (response) => {
      refuse(response);
    };
    const failure = readSome(3);
    await expect(failure).rejects.toMatchObject({ code: 'HubProtocol', permanent: true });
    await expect(failure).rejects.toThrow('HF_ENDPOINT');
    expect(asked).toHaveLength(3);
    const whole = source(3).readWhole({ signal });
    await expect(whole).rejects.toMatchObject({ code: 'HubProtocol', permanent: true });
    // Where nobody asks a second time for the Hub, the tries of the read are the bound.
    await expect(readSome(1)).rejects.toMatchObject({ permanent: true });
  });

  test.each(refusals)('is waited for while it is a hiccup: %s', async (_, refuse) => {
    instead = (response) => {
      if (asked.length === 2) instead = undefined;
      refuse(response);
    };
    await expect(readSome(3)).resolves.toEqual(bytes.subarray(2, 6));
  });

  test.each<[string, Record<string, string>]>([
    ['another length', { 'Content-Length': '3' }],
    ['chunks of another length', {}],
    ['a page', html],
  ])('ends its read as a whole for good where it has %s', async (_, headers) => {
    instead = (response) => response.writeHead(200, headers).end('<a>');
    await expect(source(3).readWhole({ signal })).rejects.toMatchObject({ code: 'HubProtocol', permanent: true });
    expect(asked).toHaveLength(3);
  });
});

test.each<[string, Record<string, string>]>([
  ['another length', { 'Content-Length': '1' }],
  ['a page', { ...html, 'Transfer-Encoding': 'chunked' }],
])('a HEAD with %s vetoes nothing', async (_, headers) => {
  await server.close();
  server = await startServer((request, response) => {
    if (request.method === 'HEAD') response.writeHead(200, headers).end();
    else serveRange(bytes, request, response);
  });
  await expect(readSome(1)).resolves.toEqual(bytes.subarray(2, 6));
});

test.each<[string, Record<string, string>]>([
  ['with its length', { ...html, 'Content-Length': '6' }],
  ['without a length', html],
])('the page of a portal in place of a range is a hiccup at first, %s', async (_, headers) => {
  instead = (response, method) => {
    if (asked.length === 4) instead = undefined;
    response.writeHead(200, headers).end(method === 'GET' ? '<html>' : undefined);
  };
  await expect(readSome(1)).resolves.toEqual(bytes.subarray(2, 6));
});
