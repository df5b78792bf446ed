import { afterEach, expect, test } from 'vitest';
import { PrefetchError } from '../../src/core/errors.js';
import type { ObjectStore } from '../../src/storage/object-store.js';
import { bytesOf, failure, live, partSize, quickPolicies, setUpTransfers } from '../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

const parts = 20;
const size = parts * partSize;
const policies = { ...quickPolicies, outage: { tries: 12, baseMs: 1, capMs: 10, longestWaitMs: 100 } };

test('parts that a store cannot take for a while are sent again from memory, and fetched once', async () => {
  const bytes = bytesOf(size);
  const request = await setup.request(bytes);
  let refused = 0;
  request.store.faults.intercept = (_incoming, response, name) => {
    if (!name.startsWith('PUT part') || refused >= 30) return false;
    refused++;
    response.writeHead(503, { 'Retry-After': '0' }).end();
    return true;
  };
  const result = await setup.engine({ policies, memoryBytes: 2 * size }).transferFile(request, live());
  expect(refused).toBe(30);
  expect(result).toMatchObject({ fetchedBytes: size, how: 'fetched' });
  expect(request.source.starts).toHaveLength(parts);
});

test('a small file that a store cannot take for a while is fetched once', async () => {
  const bytes = bytesOf(5000);
  const request = await setup.request(bytes);
  let refused = 0;
  const { store: whole } = request;
  const store: ObjectStore = {
    ...whole,
    put: (...args) => {
      if (++refused < 8) return Promise.reject(new PrefetchError('StoreUnavailable', 'away'));
      return whole.put(...args);
    },
  };
  const result = await setup.engine({ policies }).transferFile({ ...request, store }, live());
  expect(result).toMatchObject({ fetchedBytes: 5000 });
});

test('while the store is away, no more is fetched than is on its way already', async () => {
  const bytes = bytesOf(size);
  const request = await setup.request(bytes);
  request.store.faults.intercept = (_incoming, response, name) => {
    if (!name.startsWith('PUT part')) return false;
    response.writeHead(503, { 'Retry-After': '0' }).end();
    return true;
  };
  const lanes = 2;
  const engine = setup.engine({ policies, lanes, memoryBytes: 2 * size });
  expect(await failure(engine.transferFile(request, live()))).toMatchObject({ code: 'StoreUnavailable' });
  // Each lane has one part on its way when the first answer comes, and may have sent one before.
  expect(request.source.starts.length).toBeLessThanOrEqual(3 * lanes);
  expect(engine.memory.inUseBytes).toBe(0);
});
