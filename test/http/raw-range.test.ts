import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { closeIdleSockets } from '../../src/http/agents.js';
import { getRange } from '../../src/http/get-range.js';

const bytes = randomBytes(400_000);
const good = `HTTP/1.1 206 OK\r\nContent-Range: bytes 0-399999/400000\r\nContent-Length: 400000\r\n\r\n`;
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  closeIdleSockets();
  await Promise.all(ends.splice(0).map((end) => end()));
});

/** Answers each request with what the test gives, byte by byte as the test says. */
async function serve(answer: (socket: Socket, count: number) => void) {
  let connections = 0;
  let requests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (head) => {
      if (head.includes('\r\n\r\n')) answer(socket, ++requests);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/file`, connections: () => connections, sockets };
}

async function read(url: string, headers: Record<string, string> = {}): Promise<Uint8Array> {
  const into = new Uint8Array(bytes.length);
  await getRange({
    target: { url, headers },
    range: { start: 0, end: bytes.length },
    totalSize: bytes.length,
    into,
    signal: new AbortController().signal,
    stallMs: 5000,
  });
  return into;
}

test('a head and a body that come in any pieces are put together', async () => {
  const { url, connections } = await serve((socket, count) => {
    const whole = Buffer.concat([Buffer.from(good), bytes]);
    const cut = [1, 40, good.length - 2, good.length, good.length + 1, 100_000][count - 1] ?? 0;
    socket.write(whole.subarray(0, cut), () => {
      setImmediate(() => socket.write(whole.subarray(cut)));
    });
  });
  for (let round = 0; round < 6; round++) expect(Buffer.compare(await read(url), bytes)).toBe(0);
  expect(connections()).toBe(1);
});

test('an answer that only announces another is passed over', async () => {
  const { url } = await serve((socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + good);
    socket.write(bytes);
  });
  expect(Buffer.compare(await read(url), bytes)).toBe(0);
});

test('a connection that the other side closes after its answer is not used again', async () => {
  const { url, connections } = await serve((socket) => {
    socket.write(good.replace('\r\n', '\r\nConnection: close\r\n'));
    socket.end(bytes);
  });
  for (let round = 0; round < 3; round++) expect(Buffer.compare(await read(url), bytes)).toBe(0);
  expect(connections()).toBe(3);
});

test('a connection closed at the moment of its next use is replaced by a fresh one', async () => {
  const { url, connections } = await serve((socket, count) => {
    if (count === 2) {
      socket.destroy();
      return;
    }
    socket.write(good);
    socket.write(bytes);
  });
  await read(url);
  expect(Buffer.compare(await read(url), bytes)).toBe(0);
  expect(connections()).toBe(2);
});

test('bytes that nobody asked for end the connection', async () => {
  const { url, connections, sockets } = await serve((socket) => {
    socket.write(good);
    socket.write(bytes);
  });
  await read(url);
  const [first] = [...sockets];
  const closed = new Promise((resolve) => first?.once('close', resolve));
  first?.write('more');
  await closed;
  await read(url);
  expect(connections()).toBe(2);
});

test('an endless head is refused', async () => {
  const { url } = await serve((socket) => {
    const timer = setInterval(() => socket.write(`X: ${'x'.repeat(10_000)}\r\n`), 1);
    socket.on('close', () => {
      clearInterval(timer);
    });
    socket.write('HTTP/1.1 206 OK\r\n');
  });
  await expect(read(url)).rejects.toMatchObject({ code: 'SourceUnavailable' });
});

test('a chunked answer is read all the same', async () => {
  const { url } = await serve((socket) => {
    socket.write('HTTP/1.1 206 OK\r\nContent-Range: bytes 0-399999/400000\r\nTransfer-Encoding: chunked\r\n\r\n');
    socket.write(`${bytes.length.toString(16)}\r\n`);
    socket.write(bytes);
    socket.write('\r\n0\r\n\r\n');
  });
  expect(Buffer.compare(await read(url), bytes)).toBe(0);
});

test('a header that would smuggle in another is refused before anything is sent', async () => {
  const { url, connections } = await serve(() => undefined);
  await expect(read(url, { 'X-A': 'b\r\nX-C: d' })).rejects.toThrow(/Invalid character/);
  expect(connections()).toBe(0);
});
