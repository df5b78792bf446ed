import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startDevHub, type DevHub } from '../../src/dev-hub/index.js';
import { seededContent } from '../../src/dev-hub/seeded-content.js';
import {
  connectionReset,
  expiredUrl,
  flippedBit,
  hubFaults,
  ignoredRange,
  meanwhile,
  rateLimited,
  serverError,
  silent,
  stalled,
  truncated,
  wrongContentRange,
  wrongLinkedSize,
  type HubFaults,
} from '../helpers/hub-faults.js';
import { hubRequest } from './hub-request.js';
import { readContent } from './read-content.js';

const weights = { size: 3_000_000, seed: 'weights' };
const cdn = { origin: 'cdn' } as const;
let hub: DevHub;
let faults: HubFaults;
let right: Buffer;
let place: string;

beforeEach(async () => {
  faults = hubFaults();
  const commits = [{ files: { 'config.json': { bytes: Buffer.from('{}') } } }, { files: { 'x.bin': weights } }];
  hub = await startDevHub({ repos: [{ id: 'o/m', commits }], intercept: faults.intercept });
  right = await readContent(seededContent(weights));
  const { headers } = await hubRequest(hub.url, '/o/m/resolve/main/x.bin', { method: 'HEAD' });
  place = String(headers.location).slice(hub.cdnUrl.length);
});
afterEach(() => hub.close());

test('a fault hits the first requests that match, after those that it lets pass', async () => {
  const fault = faults.inject(serverError(502), { path: /api\/models/, method: 'GET', after: 1, first: 2 });
  const statuses: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) statuses.push((await hubRequest(hub.url, '/api/models/o/m')).status);
  expect(statuses).toEqual([200, 502, 502, 200, 200]);
  expect(fault.hits).toBe(2);
  expect(hub.requests.slice(1).map(({ status }) => status)).toEqual(statuses);
});

test('a fault leaves other origins, methods, paths and ranges alone, and can be taken out', async () => {
  for (const target of [{ origin: 'cdn' as const }, { method: 'POST' }, { path: 'other' }, { ranged: true }]) {
    faults.inject(serverError(), target);
  }
  expect((await hubRequest(hub.url, '/api/models/o/m')).status).toBe(200);
  expect((await hubRequest(hub.url, '/api/models/o/m', { headers: { Range: 'bytes=0-' } })).status).toBe(503);
  faults.inject(serverError()).remove();
  expect((await hubRequest(hub.url, '/api/models/o/m')).status).toBe(200);
  faults.clear();
  expect((await fromCdn()).status).toBe(200);
});

test('too many requests say when the window ends', async () => {
  faults.inject(rateLimited(7));
  const { status, headers } = await hubRequest(hub.url, '/o/m/resolve/main/x.bin');
  expect([status, headers.ratelimit]).toEqual([429, '"resolvers";r=0;t=7']);
});

test('an expired URL is refused by the CDN', async () => {
  faults.inject(expiredUrl(), cdn);
  const { status, body } = await fromCdn();
  expect([status, body.toString()]).toEqual([403, expect.stringContaining('expired')]);
});

test('a truncated body promises more than it has', async () => {
  faults.inject(truncated(1_500_000), cdn);
  const { length, bytes, end } = await untilTheEnd();
  expect([length, end]).toEqual([weights.size, 'aborted']);
  expect(bytes.equals(right.subarray(0, 1_500_000))).toBe(true);
});

test.each([undefined, 'bytes=1000000-2999999'])(
  'one bit is flipped at a position of the file, range %s',
  async (range) => {
    faults.inject(flippedBit(2_000_000), cdn);
    const start = range === undefined ? 0 : 1_000_000;
    const { body } = await fromCdn(range);
    expect(body.length).toBe(weights.size - start);
    const at = 2_000_000 - start;
    expect((body[at] ?? 0) ^ (right[2_000_000] ?? 0)).toBe(1);
    body[at] = right[2_000_000] ?? 0;
    expect(body.equals(right.subarray(start))).toBe(true);
    // The file itself is as it was.
    expect((await fromCdn()).body.equals(right)).toBe(true);
  }
);

test('a stalled body stays open and silent until the client goes away', async () => {
  faults.inject(stalled(1_000_000), cdn);
  const response = await open();
  let have = 0;
  response.on('data', (chunk: Buffer) => (have += chunk.length));
  await expect.poll(() => have).toBe(1_000_000);
  expect([response.complete, response.destroyed]).toEqual([false, false]);
  response.destroy();
  expect((await fromCdn()).status).toBe(200);
});

test('a silent server accepts the request and says nothing', async () => {
  faults.inject(silent(), cdn);
  let answered = false;
  const request = get(`${hub.cdnUrl}${place}`, { agent: false }, () => (answered = true));
  request.on('error', () => undefined);
  await expect.poll(() => hub.requests.some(({ origin, status }) => origin === 'cdn' && status === 0)).toBe(true);
  expect((await fromCdn()).status).toBe(200);
  expect(answered).toBe(false);
  request.destroy();
});

test('a connection is reset before the head or in the body', async () => {
  faults.inject(connectionReset(), cdn);
  await expect(fromCdn()).rejects.toMatchObject({ code: 'ECONNRESET' });
  faults.inject(connectionReset(1_000_000), cdn);
  expect(await untilTheEnd()).toMatchObject({ length: weights.size, end: 'aborted' });
});

test('an ignored range gives 200 and the whole file', async () => {
  faults.inject(ignoredRange(), cdn);
  const { status, headers, body } = await fromCdn('bytes=10-19');
  expect([status, headers['content-range'], body.equals(right)]).toEqual([200, undefined, true]);
});

test('heads can lie about range and size', async () => {
  faults.inject(wrongContentRange('bytes 20-29/3000000'), cdn);
  const { status, headers, body } = await fromCdn('bytes=10-19');
  expect([status, headers['content-range']]).toEqual([206, 'bytes 20-29/3000000']);
  expect(body.equals(right.subarray(10, 20))).toBe(true);
  faults.inject(wrongLinkedSize(5), { method: 'HEAD' });
  const head = await hubRequest(hub.url, '/o/m/resolve/main/x.bin', { method: 'HEAD' });
  expect([head.status, head.headers['x-linked-size']]).toEqual([302, '5']);
});

test('a branch moves meanwhile', async () => {
  faults.inject(
    meanwhile(() => {
      hub.moveBranch('o/m', 'main', 0);
    }),
    { path: '/tree/' }
  );
  const before = (await hubRequest(hub.url, '/api/models/o/m')).json();
  await hubRequest(hub.url, '/api/models/o/m/tree/main');
  expect((await hubRequest(hub.url, '/api/models/o/m')).json()).not.toEqual(before);
});

test('a fault that fails itself is a 500, not a hang', async () => {
  faults.inject(
    meanwhile(() => {
      throw new Error('broken test');
    })
  );
  const { status, json } = await hubRequest(hub.url, '/api/models/o/m');
  expect([status, json()]).toEqual([500, { error: 'broken test' }]);
});

function fromCdn(range?: string) {
  return hubRequest(hub.cdnUrl, place, range === undefined ? {} : { headers: { Range: range } });
}

function open(): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(`${hub.cdnUrl}${place}`, { agent: false }, (response) => {
      // A body that is cut off is looked at by its end, not by this error.
      response.on('error', () => undefined);
      resolve(response);
    }).on('error', reject);
  });
}

async function untilTheEnd() {
  const response = await open();
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => response.once('close', resolve));
  return {
    length: Number(response.headers['content-length']),
    bytes: Buffer.concat(chunks),
    end: response.complete ? 'complete' : 'aborted',
  };
}
