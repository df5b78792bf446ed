import { afterEach, expect, test } from 'vitest';
import { bytesOf, failure, live, partSize, quickPolicies, setUpTransfers } from '../helpers/transfer-setup.js';
import { finalise } from '../../src/transfer/finalise.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

const size = 2 * partSize;

test('an older object that passes for the completed one is found out', async () => {
  const bytes = bytesOf(size);
  const request = await setup.request(bytes);
  await request.store.put(request.key, bytesOf(size));
  let tries = 0;
  // Says that all went well and does nothing the first time, as a store does that was asked twice.
  request.store.faults.completing = (complete) => {
    if (tries++ > 0) complete();
  };
  await setup.engine().transferFile({ ...request, trust: 'replace' }, live());
  expect(tries).toBe(2);
  expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
});

test.each([
  ['the same bytes, which are read back and kept', true],
  ['other bytes, which are replaced', false],
])('another writer that was first brought %s', async (_what, same) => {
  const bytes = bytesOf(size);
  const request = await setup.request(bytes);
  const theirs = same ? Buffer.from(bytes) : bytesOf(size);
  let first = true;
  request.store.faults.completing = (complete) => {
    if (first) request.store.objects.set(request.key, theirs);
    first = false;
    complete();
  };
  await setup.engine().transferFile(request, live());
  expect(request.store.calls).toContain(`GET ${request.key}`);
  expect(request.store.calls.includes(`delete ${request.key}`)).toBe(!same);
  expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  expect(request.store.uploads.size).toBe(0);
});

test('parts with a gap or of another size together are never completed', async () => {
  const { source, store, key } = await setup.request(bytesOf(size));
  const upload = await store.createUpload(key, { size, partSize });
  const part = (partNumber: number) => ({ partNumber, size: partSize, etag: 'e' });
  const options = { ...live(), policies: quickPolicies };
  for (const receipts of [[part(1)], [part(1), part(3)], [part(2), part(1)], [part(1), part(2), part(3)], []]) {
    const error = await failure(finalise({ store, upload, source, receipts, hex: source.digest.hex }, options));
    expect(error).toMatchObject({ code: 'Internal' });
  }
  expect(store.calls).not.toContain('complete');
});

test('bytes known to be wrong are given up and never completed', async () => {
  const { source, store, key } = await setup.request(bytesOf(size));
  const upload = await store.createUpload(key, { size, partSize });
  const receipts = [1, 2].map((partNumber) => ({ partNumber, size: partSize, etag: 'e' }));
  const options = { ...live(), policies: quickPolicies };
  const error = await failure(finalise({ store, upload, source, receipts, hex: '00' }, options));
  expect(error).toMatchObject({ code: 'DigestMismatch' });
  expect(store.calls).toEqual(['abort']);
});
