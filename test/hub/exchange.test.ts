import type { RequestListener } from 'node:http';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { openHub } from '../../src/hub/open-hub.js';
import { startServer, until, type LocalServer } from '../helpers/local-server.js';

const COMMIT = 'c'.repeat(40);
const headers = { 'X-Repo-Commit': COMMIT };
let server: LocalServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function serve(handler: RequestListener, timeoutMs = 20_000) {
  server = await startServer(handler);
  const hub = openHub({ endpoint: server.origin, timeoutMs });
  return {
    server,
    hub,
    read: (size: number, signal?: AbortSignal) =>
      hub.read({ repo: 'o/m', commit: COMMIT, path: 'f', size }, signal === undefined ? {} : { signal }),
  };
}

describe('a request to the Hub', () => {
  test('fails when nobody listens, and says what to check', async () => {
    const gone = await startServer(() => undefined);
    const { origin } = gone;
    await gone.close();
    await expect(openHub({ endpoint: origin }).resolveRevision('o/m', 'main')).rejects.toMatchObject({
      code: 'HubUnavailable',
      message: expect.stringMatching(new RegExp(`${origin}.*ECONNREFUSED.*HF_ENDPOINT`)) as string,
    });
  });

  test('fails when the Hub says nothing', async () => {
    const { hub } = await serve(() => undefined, 50);
    await expect(hub.resolveRevision('o/m', 'main')).rejects.toMatchObject({ code: 'HubUnavailable' });
    await expect(hub.locate({ repo: 'o/m', commit: COMMIT, path: 'f' })).rejects.toMatchObject({
      code: 'HubUnavailable',
      message: expect.stringContaining('50 ms') as string,
    });
  });

  test('fails when a body stops in the middle', async () => {
    const { read } = await serve((_, response) => {
      response.writeHead(200, { ...headers, 'Content-Length': 9 }).write('half');
    }, 50);
    await expect(read(9)).rejects.toMatchObject({ code: 'SourceStalled' });
  });

  test('fails when a body only trickles', async () => {
    const { read } = await serve((_, response) => {
      response.writeHead(200, { ...headers, 'Content-Length': 9_000 });
      const drip = setInterval(() => response.write('x'), 10);
      response.on('close', () => {
        clearInterval(drip);
      });
    }, 300);
    await expect(read(9_000)).rejects.toMatchObject({
      code: 'SourceStalled',
      message: expect.stringMatching(/bytes in 600 ms, where 615 are the least/) as string,
    });
  });

  test('fails when the connection breaks in the middle of a body', async () => {
    const { read } = await serve((_, response) => {
      response.writeHead(200, { ...headers, 'Content-Length': 9 });
      response.write('half', () => response.destroy());
    });
    await expect(read(9)).rejects.toMatchObject({ code: 'TruncatedSource' });
  });

  test('does not read on when a body is longer than the file', async () => {
    const { read, server } = await serve((_, response) => {
      response.writeHead(200, headers);
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', pour);
      pour();
    });
    await expect(read(100_000)).rejects.toMatchObject({ code: 'TruncatedSource' });
    await until(() => server.sockets.size === 0, 'the connection to be closed');
  });

  test('fails for what is not HTTP', async () => {
    const other = createServer((socket) => socket.resume().end('220 mail.example ESMTP\r\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const hub = openHub({ endpoint: `http://127.0.0.1:${port}` });
    await expect(hub.resolveRevision('o/m', 'main')).rejects.toMatchObject({
      code: 'HubProtocol',
      message: expect.stringMatching(/does not speak HTTP .*HF_ENDPOINT/) as string,
    });
    await new Promise((resolve) => other.close(resolve));
  });

  test('ends with the reason of the signal, and its connection too', async () => {
    const { hub, read, server } = await serve((_, response) => {
      response.writeHead(200, { ...headers, 'Content-Length': 9 }).write('half');
    });
    for (const call of [
      (signal: AbortSignal) => read(9, signal),
      (signal: AbortSignal) => hub.resolveRevision('o/m', 'main', { signal }),
      (signal: AbortSignal) => hub.whoAmI({ token: 'x', signal }),
      (signal: AbortSignal) => hub.listFiles('o/m', COMMIT, { signal })[Symbol.asyncIterator]().next(),
    ]) {
      const controller = new AbortController();
      const running = call(controller.signal);
      await until(() => server.sockets.size > 0, 'the request');
      controller.abort(new Error('enough'));
      await expect(running).rejects.toThrow('enough');
      await until(() => server.sockets.size === 0, 'the connection to be closed');
    }
  });

  test('is not sent under a signal that is over', async () => {
    let requests = 0;
    const { read } = await serve(() => requests++);
    await expect(read(0, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    await expect(read(9, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    expect(requests).toBe(0);
  });

  test('uses a connection again, and many may share one signal without a warning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const connections = new Set<unknown>();
    const { read } = await serve((request, response) => {
      connections.add(request.socket);
      response.writeHead(200, headers).end('abc');
    });
    const { signal } = new AbortController();
    for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 12 }, () => read(3, signal)));
    await new Promise(setImmediate);
    process.off('warning', onWarning);
    // A socket may still be on its way back to the pool when the next round starts.
    expect(connections.size).toBeLessThan(5 * 12);
    expect(warnings).toEqual([]);
  });

  test('is sent again where the Hub had closed an idle connection meanwhile', async () => {
    const used = new WeakSet();
    let requests = 0;
    const { read } = await serve((request, response) => {
      requests++;
      if (used.has(request.socket)) request.socket.destroy();
      else response.writeHead(200, headers).end('abc');
      used.add(request.socket);
    });
    await read(3);
    await expect(read(3)).resolves.toHaveLength(3);
    expect(requests).toBe(3);
  });
});
