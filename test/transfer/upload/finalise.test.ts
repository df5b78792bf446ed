import { afterEach, describe, expect, test } from 'vitest';
import { PrefetchError } from '../../../src/core/errors.js';
import { bytesOf, failure, live, partSize, quickPolicies, setUpTransfers } from '../../helpers/transfer-setup.js';
import { finalise } from '../../../src/transfer/upload/finalise.js';

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
  expect(request.store.calls).not.toContain(`delete ${request.key}`);
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

describe('an upload that somebody else began, with a part that is wrong', () => {
  /** All its parts are in the store, so that nothing is left to fetch. */
  async function begun() {
    const bytes = bytesOf(size);
    const request = await setup.request(bytes);
    const upload = await request.store.createUpload(request.key, { size, partSize });
    const wrong = Buffer.from(bytes);
    wrong.writeUInt8(wrong.readUInt8(7) ^ 1, 7);
    for (const partNumber of [1, 2]) {
      const part = wrong.subarray((partNumber - 1) * partSize, partNumber * partSize);
      const held = { partNumber, size: partSize, etag: `e${partNumber}`, bytes: part };
      request.store.uploads.get(upload.id)?.parts.set(partNumber, held);
    }
    return { bytes, request };
  }

  test('is never completed over an object that came meanwhile, nor is that one removed', async () => {
    const { bytes, request } = await begun();
    const seen: boolean[] = [];
    const listParts: typeof request.store.listParts = (...asked) => {
      // Another run of the same Dir completes and publishes right now.
      request.store.objects.set(request.key, Buffer.from(bytes));
      return request.store.listParts(...asked);
    };
    request.store.faults.completing = (complete) => {
      try {
        complete();
      } finally {
        seen.push(request.store.objects.get(request.key)?.equals(bytes) === true);
      }
    };
    const store = { ...request.store, listParts };
    const result = await setup.engine().transferFile({ ...request, store }, live());
    expect(result).toMatchObject({ etag: (await request.store.head(request.key))?.etag });
    expect(seen).toEqual([true]);
    expect(request.store.calls).not.toContain(`delete ${request.key}`);
  });

  test('is found out, and what came of it is replaced by bytes that were all seen', async () => {
    const { bytes, request } = await begun();
    expect(await setup.engine().transferFile(request, live())).toMatchObject({ how: 'fetched', fetchedBytes: size });
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    expect(request.store.calls).not.toContain(`delete ${request.key}`);
  });
});

test('an upload that another writer completed is not taken for ours', async () => {
  const bytes = bytesOf(size);
  const request = await setup.request(bytes);
  const theirs = bytesOf(size);
  let tries = 0;
  // The answer is lost; meanwhile somebody replaces the object by bytes that nobody checked.
  request.store.faults.completing = (complete) => {
    complete();
    if (tries++ > 0) return;
    request.store.objects.set(request.key, theirs);
    throw new PrefetchError('StoreUnavailable', 'the answer was lost');
  };
  await setup.engine().transferFile(request, live());
  expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
});
