import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../helpers/local-server.js';
import { gitSha1Of } from '../helpers/test-source.js';
import { bytesOf, failure, live, partSize, setUpTransfers } from '../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

describe('a file', () => {
  test.each([0, 1, partSize - 1, partSize, partSize + 1, 3 * partSize, 7 * partSize + 12_345])(
    'of %i bytes arrives byte for byte',
    async (size) => {
      const bytes = bytesOf(size);
      const request = await setup.request(bytes);
      const engine = setup.engine();
      const progress: number[] = [];
      const result = await engine.transferFile(request, {
        ...live(),
        onProgress: ({ bytesDone }) => progress.push(bytesDone),
      });
      expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
      const info = await request.store.head(request.key);
      expect(result).toEqual({ etag: info?.etag, size, fetchedBytes: size, how: 'fetched' });
      expect(progress.at(-1)).toBe(size);
      expect(request.store.uploads.size).toBe(0);
      expect(engine.memory.inUseBytes).toBe(0);
    }
  );

  test.each([1234, 3 * partSize + 5])('of %i bytes is checked by its git blob id too', async (size) => {
    const bytes = bytesOf(size);
    const request = await setup.request(bytes, { digest: gitSha1Of(bytes) });
    await setup.engine().transferFile(request, live());
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  });

  test('that many ask for at the same time is brought once', async () => {
    const request = await setup.request(bytesOf(5 * partSize));
    const engine = setup.engine();
    const results = await Promise.all([1, 2, 3].map(() => engine.transferFile(request, live())));
    expect(results.map(({ how }) => how).sort()).toEqual(['fetched', 'found', 'found']);
    expect(request.source.starts).toHaveLength(5);
  });

  test('that is there is read back and not fetched', async () => {
    for (const size of [0, 500, 3 * partSize]) {
      const bytes = bytesOf(size);
      const request = await setup.request(bytes);
      await request.store.put(request.key, bytes);
      const result = await setup.engine().transferFile(request, live());
      expect(result).toMatchObject({ how: 'found', fetchedBytes: 0, size });
      expect(request.source.starts).toEqual([]);
    }
  });

  test('that is there with other bytes of the same size is fetched and replaced', async () => {
    for (const size of [500, 3 * partSize]) {
      const bytes = bytesOf(size);
      const request = await setup.request(bytes);
      await request.store.put(request.key, bytesOf(size));
      expect(await setup.engine().transferFile(request, live())).toMatchObject({ how: 'fetched' });
      expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    }
  });

  test('that is there is fetched again when nothing is to be trusted', async () => {
    const bytes = bytesOf(3 * partSize);
    const request = await setup.request(bytes);
    await request.store.put(request.key, bytes);
    const result = await setup.engine().transferFile({ ...request, trust: 'replace' }, live());
    expect(result).toMatchObject({ how: 'fetched', fetchedBytes: bytes.length });
  });

  test('too large for a store without parts is refused', async () => {
    const request = await setup.request(bytesOf(partSize + 1));
    const store = await setup.store({ multipart: false });
    expect(await failure(setup.engine().transferFile({ ...request, store }, live()))).toMatchObject({
      code: 'StreamingUnsupported',
    });
  });

  test('has larger parts where the store takes few', async () => {
    const bytes = bytesOf(3_000_000);
    const request = await setup.request(bytes);
    const store = await setup.store({ maxParts: 2 });
    await setup.engine({ memoryBytes: 4_000_000 }).transferFile({ ...request, store }, live());
    expect(store.calls.filter((call) => call.startsWith('PUT part'))).toHaveLength(2);
    expect(store.objects.get(request.key)?.equals(bytes)).toBe(true);
  });

  test('whose parts do not fit into the memory at all is refused with the setting that helps', async () => {
    const request = await setup.request(bytesOf(3_000_000));
    const store = await setup.store({ maxParts: 2 });
    const error = await failure(setup.engine().transferFile({ ...request, store }, live()));
    expect(error).toMatchObject({ code: 'InvalidInput' });
    expect(String(error)).toContain('MODEL_PREFETCH_MEMORY');
  });
});

describe('memory', () => {
  test('never goes over the budget, with many files at once', async () => {
    const engine = setup.engine({ lanes: 8, memoryBytes: 3 * partSize });
    const requests = await Promise.all(
      [5 * partSize, 10, 2 * partSize + 1, partSize, 9 * partSize, 77_777].map((size) => setup.request(bytesOf(size)))
    );
    await Promise.all(requests.map((request) => engine.transferFile(request, live())));
    expect(engine.memory.peakBytes).toBeLessThanOrEqual(3 * partSize);
    expect(engine.memory.inUseBytes).toBe(0);
    for (const { source, store, key } of requests) expect(store.objects.get(key)).toHaveLength(source.size);
  });

  test.each([
    [1, 1],
    [1, 4],
    [2, 1],
    [2, 8],
  ])('of %i parts and %i lanes are enough for ten files at once', async (slabs, lanes) => {
    const engine = setup.engine({ lanes, memoryBytes: slabs * partSize });
    const requests = await Promise.all(
      Array.from({ length: 10 }, (_, index) => setup.request(bytesOf(index * 35_000 + 90_000)))
    );
    await Promise.all(requests.map((request) => engine.transferFile(request, live())));
    expect(engine.memory.peakBytes).toBe(slabs * partSize);
    expect(engine.memory.inUseBytes).toBe(0);
  });

  test('smaller than a part is refused', () => {
    expect(() => setup.engine({ memoryBytes: partSize - 1 })).toThrow(/MODEL_PREFETCH_MEMORY/);
    expect(() => setup.engine({ lanes: 0 })).toThrow(/lanes/);
    expect(() => setup.engine({ partSizeBytes: Number.NaN })).toThrow(/partSizeBytes/);
  });
});

describe('abort', () => {
  test('ends with the reason, frees everything and keeps the parts that arrived', async () => {
    const bytes = bytesOf(8 * partSize);
    const request = await setup.request(bytes, { intercept: (_, __, count) => count > 3 });
    const engine = setup.engine({ lanes: 2 });
    const abort = new AbortController();
    const reason = new Error('enough');
    const moving = failure(engine.transferFile(request, { signal: abort.signal }));
    await until(() => [...request.store.uploads.values()].some(({ parts }) => parts.size === 3), 'three parts');
    abort.abort(reason);
    expect(await moving).toBe(reason);
    expect(engine.memory.inUseBytes).toBe(0);
    await until(() => request.source.sockets() <= 2, 'hanging requests to be cut');
    expect(request.store.objects.size).toBe(0);
    expect([...request.store.uploads.values()][0]?.parts.size).toBe(3);
  });

  test('of one that waits for memory lets the others go on', async () => {
    const engine = setup.engine({ lanes: 1, memoryBytes: partSize });
    const stuck = await setup.request(bytesOf(2 * partSize), { intercept: () => true });
    const waiting = await setup.request(bytesOf(2 * partSize));
    const third = await setup.request(bytesOf(2 * partSize));
    const first = new AbortController();
    const second = new AbortController();
    const stuckEnd = failure(engine.transferFile(stuck, { signal: first.signal }));
    await until(() => stuck.source.starts.length === 1, 'the first request');
    const waitingEnd = failure(engine.transferFile(waiting, { signal: second.signal }));
    const thirdEnd = engine.transferFile(third, live());
    second.abort(new Error('second'));
    expect(await waitingEnd).toMatchObject({ message: 'second' });
    first.abort(new Error('first'));
    expect(await stuckEnd).toMatchObject({ message: 'first' });
    await thirdEnd;
    expect(engine.memory.inUseBytes).toBe(0);
  });
});
