import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { openStore } from '../../../src/storage/index.js';
import { readPolicy } from '../../../src/transfer/budget/policies.js';
import { openObject } from '../../../src/transfer/read/object-source.js';
import { hashFile, hashObject } from '../../../src/transfer/read/verify-object.js';
import { rangeOf } from '../../helpers/local-server.js';
import { quickPolicies } from '../../helpers/quick-policies.js';
import { gitSha1Of, sha256Of } from '../../helpers/test-source.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { bytesOf, failure, live, setUpTransfers } from '../../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

test.each([0, 1, 3_000_000])('an object of %i bytes is hashed as the store holds it', async (size) => {
  const bytes = bytesOf(size);
  const local = await openStore(pathToFileURL(await tmpFolder()).href + '/');
  for (const store of [await setup.store(), local]) {
    await store.put('key', bytes);
    for (const { algorithm, hex } of [sha256Of(bytes), gitSha1Of(bytes)]) {
      expect(await hashObject(store, { key: 'key', size, algorithm }, live())).toBe(hex);
    }
  }
});

test('a reading that is cut goes on where it ended', async () => {
  const bytes = bytesOf(3_000_000);
  const store = await setup.store();
  await store.put('key', bytes);
  const ranges: (string | undefined)[] = [];
  store.faults.intercept = (request, response) => {
    ranges.push(request.headers.range);
    if (ranges.length > 1) return false;
    response.writeHead(206, { 'Content-Range': 'bytes 0-2999999/3000000', 'Content-Length': 3_000_000 });
    response.write(bytes.subarray(0, 1_000_000), () => response.socket?.end());
    return true;
  };
  const hex = await hashObject(store, { key: 'key', size: bytes.length, algorithm: 'sha256' }, live());
  expect(hex).toBe(sha256Of(bytes).hex);
  expect(ranges).toEqual(['bytes=0-2999999', 'bytes=1000000-2999999']);
});

test('a store that gives all of an object, whatever is asked, is read from its start again after a cut', async () => {
  const bytes = bytesOf(300_000);
  const store = await setup.store();
  await store.put('key', bytes);
  let requests = 0;
  store.faults.intercept = (_, response) => {
    response.writeHead(200);
    if (++requests > 1) response.end(bytes);
    else response.write(bytes.subarray(0, 100_000), () => response.socket?.end());
    return true;
  };
  const hex = await hashObject(store, { key: 'key', size: bytes.length, algorithm: 'sha256' }, live());
  expect(hex).toBe(sha256Of(bytes).hex);
});

const object = { key: 'key', size: 300_000 };

test.each([
  ['ranges are ignored', { status: 200, headers: {} }, 1],
  ['other ranges come', { status: 206, headers: { 'Content-Range': 'bytes 0-9/300000' } }, 5],
  ['bytes are encoded', { status: 206, headers: { 'Content-Encoding': 'gzip' } }, 5],
])('a store of which %s is refused for good, in words of the store', async (_, { status, headers }, most) => {
  const bytes = bytesOf(object.size);
  const store = await setup.store();
  await store.put(object.key, bytes);
  let requests = 0;
  store.faults.intercept = (_request, response) => {
    requests++;
    response.writeHead(status, headers).end(bytes);
    return true;
  };
  const source = openObject(store, object, readPolicy(quickPolicies));
  const error = await failure(source.read({ start: 1000, end: 2000 }, new Uint8Array(1000), live()));
  expect(error).toMatchObject({ code: 'StreamingUnsupported', permanent: true });
  expect(String(error)).toMatch(/key cannot be read back: .*(no ranges|expected|identity)/);
  expect(requests).toBe(most);
});

test('a store that does not say which range it gives is read all the same', async () => {
  const bytes = bytesOf(object.size);
  const store = await setup.store();
  await store.put(object.key, bytes);
  store.faults.intercept = (request, response) => {
    const { start, end } = rangeOf(request, bytes.length);
    response.writeHead(206, { 'Content-Length': end - start }).end(bytes.subarray(start, end));
    return true;
  };
  const source = openObject(store, object, readPolicy(quickPolicies));
  const into = new Uint8Array(1000);
  await source.read({ start: 1000, end: 2000 }, into, live());
  expect(Buffer.compare(into, bytes.subarray(1000, 2000))).toBe(0);
});

test('a store that drips is cut, and the reading goes on', async () => {
  const bytes = bytesOf(100_000);
  const store = await setup.store();
  await store.put('key', bytes);
  const ranges: (string | undefined)[] = [];
  store.faults.intercept = (request, response) => {
    ranges.push(request.headers.range);
    if (ranges.length > 1) return false;
    response.writeHead(206, { 'Content-Range': 'bytes 0-99999/100000', 'Content-Length': 100_000 });
    let sent = 0;
    const timer = setInterval(() => response.write(bytes.subarray(sent, ++sent)), 20);
    response.on('close', () => {
      clearInterval(timer);
    });
    return true;
  };
  const options = { ...live(), leastRate: { bytes: 1000, windowMs: 200 } };
  const hex = await hashObject(store, { key: 'key', size: bytes.length, algorithm: 'sha256' }, options);
  expect(hex).toBe(sha256Of(bytes).hex);
  expect(ranges).toEqual(['bytes=0-99999', expect.stringMatching(/^bytes=\d{1,2}-99999$/)]);
});

test('an object that is gone fails under its key, as a failure of the store', async () => {
  const store = await setup.store();
  await store.put('key', bytesOf(10));
  store.faults.intercept = (_, response) => {
    response.writeHead(404).end();
    return true;
  };
  const error = await failure(hashObject(store, { key: 'key', size: 10, algorithm: 'sha256' }, live()));
  expect(error).toMatchObject({ code: 'ObjectNotFound' });
  expect(String(error)).not.toContain('?');
});

test('a local file that is gone is told as such, and an abort with its own reason', async () => {
  const file = { size: 3, algorithm: 'sha256' } as const;
  const path = join(await tmpFolder(), 'gone');
  await expect(hashFile(path, file, live())).rejects.toMatchObject({ code: 'ObjectNotFound' });
  const reason = new Error('given up');
  await expect(hashFile(path, file, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
