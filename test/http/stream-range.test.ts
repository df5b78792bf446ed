import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { closeIdleSockets } from '../../src/http/agents.js';
import { streamRange } from '../../src/http/stream-range.js';
import { serveRange, startServer, type LocalServer } from '../helpers/local-server.js';

const bytes = randomBytes(500_000);
let server: LocalServer | undefined;

afterEach(async () => {
  closeIdleSockets();
  await server?.close();
});

async function read(onChunk: (chunk: Uint8Array) => void | Promise<void>, signal = new AbortController().signal) {
  server = await startServer((request, response) => {
    serveRange(bytes, request, response);
  });
  const target = { url: `${server.origin}/file`, headers: {} };
  const range = { start: 0, end: bytes.length };
  await streamRange({ target, range, totalSize: bytes.length, signal, stallMs: 5000, onChunk });
}

test('hands over one chunk at a time, in order, and ends when the last one is taken', async () => {
  const taken: Uint8Array[] = [];
  let busy = 0;
  await read(async (chunk) => {
    expect(++busy).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 2));
    taken.push(Buffer.from(chunk));
    busy--;
  });
  expect(busy).toBe(0);
  expect(Buffer.concat(taken).equals(bytes)).toBe(true);
});

test('is not cut as stalled or slow while its reader is slow', async () => {
  let chunks = 0;
  server = await startServer((request, response) => {
    serveRange(bytes, request, response);
  });
  await streamRange({
    target: { url: `${server.origin}/file`, headers: {} },
    range: { start: 0, end: bytes.length },
    totalSize: bytes.length,
    signal: new AbortController().signal,
    stallMs: 100,
    leastRate: { bytes: 200_000, windowMs: 200 },
    onChunk: async () => {
      if (chunks++ < 2) await new Promise((resolve) => setTimeout(resolve, 250));
    },
  });
  expect(chunks).toBeGreaterThan(1);
});

test('fails with the failure of its reader', async () => {
  await expect(read(() => Promise.reject(new Error('full')))).rejects.toThrow('full');
});

test('fails after an abort only when its reader is done with its chunk', async () => {
  const abort = new AbortController();
  let done = false;
  const reading = read(async () => {
    abort.abort(new Error('enough'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    done = true;
  }, abort.signal);
  await expect(reading).rejects.toThrow('enough');
  expect(done).toBe(true);
});
