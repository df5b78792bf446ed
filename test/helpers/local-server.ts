import * as http from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A server on loopback whose connections a test can count and cut. */
export interface LocalServer {
  readonly origin: string;
  readonly sockets: Set<Socket>;
  close(): Promise<void>;
}

/** Starts a server with one handler for all requests. */
export async function startServer(handler: http.RequestListener): Promise<LocalServer> {
  const server = http.createServer(handler);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    sockets,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Answers a ranged GET of `bytes` as a good CDN does. */
export function serveRange(bytes: Uint8Array, request: http.IncomingMessage, response: http.ServerResponse): void {
  const { start, end } = rangeOf(request, bytes.length);
  response.writeHead(206, {
    'Content-Length': end - start,
    'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}`,
    ETag: '"x"',
  });
  response.end(bytes.subarray(start, end));
}

/** The half-open range that a request asks for. */
export function rangeOf(request: http.IncomingMessage, size: number): { start: number; end: number } {
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (match === null) return { start: 0, end: size };
  return { start: Number(match[1]), end: Math.min(Number(match[2]) + 1, size) };
}

/** Sends a TCP reset at once; `resetAndDestroy` would end the connection in order first. */
export function reset(socket: Socket): void {
  Object.assign(socket, { resetAndClosing: true }).destroy();
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, what = 'condition', timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A TCP server that takes every connection and never says a word. */
export async function startSilentServer(): Promise<{ readonly address: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const found = server.address();
  const port = typeof found === 'object' && found !== null ? found.port : 0;
  return {
    address: `127.0.0.1:${String(port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}
