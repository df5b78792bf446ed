import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { closeIdleSockets } from '../../src/http/agents.js';
import { putBytes, putStream } from '../../src/http/put-bytes.js';
import { reset, startServer, until, type LocalServer } from '../helpers/local-server.js';

const body = randomBytes(2_000_003);
const servers: LocalServer[] = [];

afterEach(async () => {
  closeIdleSockets();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(
  handler: RequestListener
): Promise<{ server: LocalServer; target: { url: string; headers: Record<string, string> } }> {
  const server = await startServer(handler);
  servers.push(server);
  return { server, target: { url: `${server.origin}/key?X-Signature=secret`, headers: { 'X-Part': '1' } } };
}

/** Takes whole bodies and keeps them with their headers. */
function sink(seen: { headers: IncomingHttpHeaders; body: Buffer }[], status = 200): RequestListener {
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({ headers: request.headers, body: Buffer.concat(chunks) });
      response.writeHead(status, { ETag: '"e"' }).end('answer');
    });
  };
}

test('sends the bytes with their exact length and returns the answer', async () => {
  const seen: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
  const { server, target } = await serve(sink(seen));
  for (let i = 0; i < 5; i++) {
    expect(await putBytes({ target, body })).toMatchObject({ status: 200, headers: { etag: '"e"' }, text: 'answer' });
    expect(server.sockets.size).toBe(1);
  }
  expect(seen).toHaveLength(5);
  expect(seen[0]?.body.equals(body)).toBe(true);
  expect(seen[0]?.headers).toMatchObject({ 'content-length': '2000003', 'x-part': '1' });
  expect(seen[0]?.headers).not.toHaveProperty('expect');
  expect(seen[0]?.headers).not.toHaveProperty('transfer-encoding');
});

test('sends an empty body', async () => {
  const seen: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
  const { target } = await serve(sink(seen));
  expect(await putBytes({ target, body: new Uint8Array(0) })).toMatchObject({ status: 200 });
  expect(seen[0]?.headers['content-length']).toBe('0');
});

test('sends a body as it is read, and never one of another length', async () => {
  const seen: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
  const { target } = await serve(sink(seen));
  async function* pieces() {
    for (let start = 0; start < body.length; start += 70_000) {
      await Promise.resolve();
      yield body.subarray(start, start + 70_000);
    }
  }
  await putStream({ target, size: body.length, body: pieces() });
  expect(seen[0]?.body.equals(body)).toBe(true);
  await expect(putStream({ target, size: body.length + 1, body: pieces() })).rejects.toMatchObject({
    code: 'Internal',
  });
  await expect(putStream({ target, size: 100, body: pieces() })).rejects.toMatchObject({ code: 'Internal' });
  expect(seen).toHaveLength(1);
});

test('an error status is an answer', async () => {
  const { target } = await serve(sink([], 503));
  expect(await putBytes({ target, body })).toMatchObject({ status: 503, text: 'answer' });
});

test('an answer that comes before the whole body was taken is returned', async () => {
  const { server, target } = await serve((_, response) => {
    response.writeHead(403, { Connection: 'close' }).end('expired');
  });
  const answer = await putBytes({ target, body: randomBytes(50_000_000) }).catch((error: unknown) => error);
  // A server that closes at once may reset the connection before its answer is read.
  if (answer instanceof Error) expect(answer).toMatchObject({ code: 'StoreUnavailable' });
  else expect(answer).toMatchObject({ status: 403, text: 'expired' });
  await until(() => server.sockets.size === 0, 'the connection to be closed');
});

test('keeps no more than 64 KiB of an answer', async () => {
  const { target } = await serve((request, response) => {
    request.resume().on('end', () => response.end('x'.repeat(1_000_000)));
  });
  expect((await putBytes({ target, body })).text).toHaveLength(65_536);
});

const failures: [title: string, handler: RequestListener][] = [
  [
    'a reset while sending',
    (request) =>
      request.once('data', () => {
        reset(request.socket);
      }),
  ],
  ['a server that never answers', (request) => request.resume()],
  [
    'an answer that is cut',
    (request, response) => {
      request.resume().on('end', () => {
        response.writeHead(200, { 'Content-Length': 100 }).write('half', () => request.socket.destroy());
      });
    },
  ],
];

test.each(failures)('%s is an unavailable store', async (_, handler) => {
  const { server, target } = await serve(handler);
  const error: unknown = await putBytes({ target, body: randomBytes(20_000_000), stallMs: 300 }).catch(
    (error: unknown) => error
  );
  expect(error).toMatchObject({ name: 'PrefetchError', code: 'StoreUnavailable' });
  expect(String(error)).not.toContain('secret');
  await until(() => server.sockets.size === 0, 'the connection to be cut');
});

test('a server that takes nothing is an unavailable store', async () => {
  const { target } = await serve((request) => request.pause());
  await expect(putBytes({ target, body: randomBytes(20_000_000), stallMs: 300 })).rejects.toMatchObject({
    code: 'StoreUnavailable',
  });
});

test('a store that takes or answers by drips is an unavailable store', async () => {
  const taking = await serve((request) => {
    request.pause();
    const sip = setInterval(() => void request.read(16_384), 10);
    request.on('close', () => {
      clearInterval(sip);
    });
  });
  const answering = await serve((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { ETag: '"e"' });
      const drip = setInterval(() => response.write('x'), 10);
      response.on('close', () => {
        clearInterval(drip);
      });
    });
  });
  for (const { server, target } of [taking, answering]) {
    const error: unknown = await putBytes({
      target,
      body: randomBytes(20_000_000),
      stallMs: 5000,
      leastRate: { bytes: 5_000_000, windowMs: 150 },
    }).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'StoreUnavailable' });
    expect(String(error)).toContain('where 5000000 are the least');
    await until(() => server.sockets.size === 0, 'the connection to be cut');
  }
});

test('a store that thinks for long before it answers is not slow', async () => {
  const { target } = await serve((request, response) => {
    request.resume().on('end', () => setTimeout(() => response.end('done'), 500));
  });
  const leastRate = { bytes: 1, windowMs: 150 };
  expect(await putBytes({ target, body, stallMs: 5000, leastRate })).toMatchObject({ text: 'done' });
});

test('abort cuts the connection and rejects with the reason', async () => {
  const abort = new AbortController();
  const reason = new Error('enough');
  const { server, target } = await serve((request) => {
    request.once('data', () => {
      abort.abort(reason);
    });
  });
  await expect(putBytes({ target, body: randomBytes(20_000_000), signal: abort.signal })).rejects.toBe(reason);
  await until(() => server.sockets.size === 0, 'the connection to be cut');
});
