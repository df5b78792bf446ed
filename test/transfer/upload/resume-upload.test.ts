import { afterEach, describe, expect, test } from 'vitest';
import { PrefetchError } from '../../../src/core/errors.js';
import type { TransferRequest } from '../../../src/transfer/engine.js';
import type { MemoryStore } from '../../helpers/memory-store.js';
import { rangeOf } from '../../helpers/local-server.js';
import type { TestSource } from '../../helpers/test-source.js';
import { bytesOf, failure, live, partSize, setUpTransfers } from '../../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

const size = 5 * partSize + 3;

interface Interrupted {
  readonly bytes: Buffer;
  readonly request: TransferRequest & { readonly source: TestSource; readonly store: MemoryStore };
}

/** A transfer that failed with parts 1, 2, 4 and 5 of 6 in the store. */
async function interrupted(): Promise<Interrupted> {
  const bytes = bytesOf(size);
  const request = await setup.request(bytes);
  const patient = { tries: 1000, baseMs: 1, capMs: 10, longestWaitMs: 1000 };
  const policies = { get: patient, put: patient, outage: patient, stallMs: 5000 };
  const broken = await setup.source(bytes, {
    policies,
    intercept: (incoming, response) => {
      const { start } = rangeOf(incoming, size);
      if (start !== 2 * partSize && start !== 5 * partSize) return false;
      if (request.store.calls.filter((call) => call.startsWith('PUT part')).length < 4) {
        response.writeHead(503, { 'Retry-After': '0' }).end();
      } else response.writeHead(503, { 'Retry-After': '100' }).end();
      return true;
    },
  });
  const engine = setup.engine({ lanes: 6, policies });
  expect(await failure(engine.transferFile({ ...request, source: broken }, live()))).toMatchObject({
    retryAfterMs: 100_000,
  });
  const held = [...(request.store.uploads.values().next().value?.parts.keys() ?? [])].sort();
  expect(held).toEqual([1, 2, 4, 5]);
  return { bytes, request };
}

describe('a transfer taken up by another process', () => {
  test('fetches the missing parts only and reads the object back', async () => {
    const { bytes, request } = await interrupted();
    const progress: number[] = [];
    const result = await setup.engine().transferFile(request, {
      ...live(),
      onProgress: ({ bytesDone }) => progress.push(bytesDone),
    });
    expect(result).toMatchObject({ how: 'resumed', fetchedBytes: partSize + 3, size });
    expect(request.source.starts.sort((a, b) => a - b)).toEqual([2 * partSize, 5 * partSize]);
    expect(progress[0]).toBe(4 * partSize);
    expect(progress.at(-1)).toBe(size);
    expect(request.store.calls).toContain(`GET ${request.key}`);
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  });

  test('takes up parts where nothing that is there is trusted, too', async () => {
    const { request } = await interrupted();
    const result = await setup.engine().transferFile({ ...request, trust: 'replace' }, live());
    expect(result).toMatchObject({ how: 'resumed' });
  });

  test('does not put unread parts in the place of an object that readers may trust', async () => {
    const { bytes, request } = await interrupted();
    request.store.objects.set(request.key, Buffer.from(bytes));
    const result = await setup.engine().transferFile({ ...request, trust: 'replace' }, live());
    expect(result).toMatchObject({ how: 'fetched', fetchedBytes: size });
    expect(request.store.calls).not.toContain(`delete ${request.key}`);
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  });

  test('starts over in a store that cannot tell whether something is in the place of unread parts', async () => {
    const { bytes, request } = await interrupted();
    const able = await request.store.capabilities();
    request.store.capabilities = () => Promise.resolve({ ...able, conditionalComplete: false });
    const result = await setup.engine().transferFile(request, live());
    expect(result).toMatchObject({ how: 'fetched', fetchedBytes: size });
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  });

  test('finds a part that went wrong earlier, and replaces the object by one of which it saw all bytes', async () => {
    const { bytes, request } = await interrupted();
    const part = request.store.uploads.values().next().value?.parts.get(2);
    part?.bytes.writeUInt8(part.bytes.readUInt8(7) ^ 1, 7);
    Object.assign(part ?? {}, { crc32: undefined });
    const result = await setup.engine().transferFile(request, live());
    expect(result).toMatchObject({ how: 'fetched', fetchedBytes: partSize + 3 + size });
    expect(request.store.calls).not.toContain(`delete ${request.key}`);
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    expect(request.store.uploads.size).toBe(0);
  });

  test('goes on with parts of another size than its own', async () => {
    const { bytes, request } = await interrupted();
    const result = await setup.engine({ partSizeBytes: 150_000 }).transferFile(request, live());
    expect(result).toMatchObject({ how: 'resumed', fetchedBytes: partSize + 3 });
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  });

  test('leaves parts alone that do not fit into its memory, and starts an upload of its own', async () => {
    const { bytes, request } = await interrupted();
    const [theirs] = [...request.store.uploads.keys()];
    const small = { partSizeBytes: 50_000, memoryBytes: 90_000 };
    expect(await setup.engine(small).transferFile(request, live())).toMatchObject({ how: 'fetched' });
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    expect([...request.store.uploads.keys()]).toEqual([theirs]);
  });

  test('goes on with the upload that holds the most', async () => {
    const { bytes, request } = await interrupted();
    const newer = await request.store.createUpload(request.key, { size, partSize });
    const first = { ...partOf(bytes, 1), etag: 'e' };
    request.store.uploads.get(newer.id)?.parts.set(1, { ...first, bytes: bytes.subarray(0, partSize) });
    const result = await setup.engine().transferFile(request, live());
    expect(result).toMatchObject({ how: 'resumed', fetchedBytes: partSize + 3 });
    expect([...request.store.uploads.keys()]).toEqual([newer.id]);
  });

  test('starts over where there is no room to take over what others began, and gives that up', async () => {
    const { bytes, request } = await interrupted();
    request.store.takeOver = () => Promise.reject(new PrefetchError('DiskFull', 'no room for a copy'));
    expect(await setup.engine().transferFile(request, live())).toMatchObject({ how: 'fetched', fetchedBytes: size });
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    expect(request.store.uploads.size).toBe(0);
  });

  test('takes over what it goes on with, where the store knows late writers', async () => {
    const { bytes, request } = await interrupted();
    const [theirs = ''] = [...request.store.uploads.keys()];
    request.store.takeOver = async ({ key, id }) => {
      const taken = await request.store.createUpload(key, { size, partSize });
      const parts = new Map(request.store.uploads.get(id)?.parts);
      request.store.uploads.set(taken.id, { key, parts });
      return taken;
    };
    expect(await setup.engine().transferFile(request, live())).toMatchObject({ fetchedBytes: partSize + 3 });
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    expect([...request.store.uploads.keys()]).toEqual([theirs]);
  });

  test('leaves an upload alone that holds nothing', async () => {
    const request = await setup.request(bytesOf(size));
    const upload = await request.store.createUpload(request.key, { size, partSize });
    await setup.engine().transferFile(request, live());
    expect([...request.store.uploads.keys()]).toEqual([upload.id]);
  });

  test('completes an upload that holds all parts and fetches nothing', async () => {
    const bytes = bytesOf(size);
    const request = await setup.request(bytes);
    request.store.faults.completing = () => {
      throw new PrefetchError('StoreUnavailable', 'down');
    };
    expect(await failure(setup.engine().transferFile(request, live()))).toMatchObject({ code: 'StoreUnavailable' });
    delete request.store.faults.completing;
    expect(await setup.engine().transferFile(request, live())).toMatchObject({ how: 'resumed', fetchedBytes: 0 });
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  });
});

function partOf(bytes: Uint8Array, partNumber: number) {
  return { partNumber, size: Math.min(partSize, bytes.length - (partNumber - 1) * partSize) };
}
