import type { ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { rangeOf, until } from '../helpers/local-server.js';
import { bytesOf, failure, live, partSize, quickPolicies, setUpTransfers } from '../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

/** A byte now and then, for ever. */
function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write('x'), 20);
  response.on('close', () => {
    clearInterval(timer);
  });
}

/** Files of one model whose source drips on every connection. */
function dripping(sizes: readonly number[]) {
  return Promise.all(
    sizes.map(async (size, index) => {
      const request = await setup.request(bytesOf(size), {
        intercept: (incoming, response) => {
          const { start, end } = rangeOf(incoming, size);
          const headers = { 'Content-Range': `bytes ${start}-${end - 1}/${size}`, 'Content-Length': end - start };
          response.writeHead(206, headers);
          drip(response);
          return true;
        },
      });
      return { ...request, key: `dripping/${index}.bin`, model: 'dripping' };
    })
  );
}

test.each([
  ['large files', Array.from({ length: 4 }, () => 5 * partSize)],
  ['small files', Array.from({ length: 40 }, () => partSize / 10)],
])('a model goes its way while the source of another drips into all lanes and all memory: %s', async (_, sizes) => {
  const engine = setup.engine({ lanes: 2, memoryBytes: 4 * partSize });
  const abort = new AbortController();
  const requests = await dripping(sizes);
  let ended = 0;
  const moving = requests.map((request) =>
    failure(engine.transferFile(request, { signal: abort.signal })).finally(() => ended++)
  );
  const busy = () => requests.reduce((sum, { source }) => sum + source.sockets(), 0);
  await until(() => busy() >= 2 && engine.memory.inUseBytes >= 3 * partSize, 'a source that drips everywhere');
  for (const size of [7 * partSize + 5, 100, partSize]) {
    const request = { ...(await setup.request(bytesOf(size))), key: `good/${size}.bin` };
    await engine.transferFile(request, live());
    expect(request.store.objects.get(request.key)).toHaveLength(size);
  }
  expect(ended).toBe(0);
  abort.abort(new Error('enough'));
  await Promise.all(moving);
  expect(engine.memory.inUseBytes).toBe(0);
});

test('a range that drips is cut and goes on where it ended', async () => {
  const bytes = bytesOf(2 * partSize);
  const ranges: number[] = [];
  const policies = { ...quickPolicies, leastRate: { bytes: 100, windowMs: 200 } };
  const request = await setup.request(bytes, {
    policies,
    intercept: (incoming, response, count) => {
      const { start, end } = rangeOf(incoming, bytes.length);
      ranges.push(start);
      if (count > 1) return false;
      const headers = { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}`, 'Content-Length': end - start };
      response.writeHead(206, headers).write(bytes.subarray(0, 5000));
      let sent = 5000;
      const timer = setInterval(() => response.write(bytes.subarray(sent, ++sent)), 20);
      response.on('close', () => {
        clearInterval(timer);
      });
      return true;
    },
  });
  const result = await setup.engine({ lanes: 1, policies }).transferFile(request, live());
  expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  expect(ranges).toHaveLength(3);
  expect(ranges.some((start) => start >= 5000 && start < partSize)).toBe(true);
  expect(result.fetchedBytes).toBe(bytes.length);
});

test('a source without ranges starts over where its only range broke off', async () => {
  const bytes = bytesOf(2 * partSize);
  const request = await setup.request(bytes, {
    intercept: (_, response, count) => {
      response.writeHead(200, { 'Content-Length': bytes.length });
      if (count === 1) response.write(bytes.subarray(0, 5000), () => response.socket?.destroy());
      else response.end(bytes);
      return true;
    },
  });
  const store = await setup.store({ minPartSize: 3 * partSize });
  await setup.engine().transferFile({ ...request, store }, live());
  expect(store.objects.get(request.key)?.equals(bytes)).toBe(true);
});
