import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeIdleSockets } from '../../src/http/agents.js';
import { getRange } from '../../src/http/get-range.js';
import { readLocated } from '../../src/http/read-located.js';
import { streamRange } from '../../src/http/stream-range.js';
import { makeCertificate } from '../helpers/certificates.js';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';

let server: Server;
let url: string;
let connections = 0;

beforeAll(async () => {
  const folder = await createTmpFolder();
  server = createServer(await makeCertificate(folder));
  await removeFolder(folder);
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}/file?X-Sig=secret`;
});

afterAll(async () => {
  closeIdleSockets();
  await new Promise((resolve) => server.close(resolve));
});

const untrusted = {
  code: 'HubProtocol',
  message: expect.stringMatching(
    /^HubProtocol: The certificate of https:\/\/127\.0\.0\.1:\d+ is not trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)\..*NODE_EXTRA_CA_CERTS/
  ) as unknown,
};

function question() {
  const { signal } = new AbortController();
  return { target: { url, headers: {} }, range: { start: 0, end: 10 }, totalSize: 10, signal, stallMs: 5000 };
}

test('a source with a certificate of an unknown authority is named, with the way to trust it', async () => {
  await expect(getRange({ ...question(), into: new Uint8Array(10) })).rejects.toMatchObject(untrusted);
  await expect(streamRange({ ...question(), onChunk: () => undefined })).rejects.toMatchObject(untrusted);
});

test('such a source is asked once, and nobody takes it for one without ranges', async () => {
  connections = 0;
  const { range, signal, target } = question();
  const read = readLocated(
    { size: 10, locate: () => Promise.resolve({ ...target, expiresAt: Date.now() + 60_000 }) },
    { tries: 3, baseMs: 1, capMs: 1, longestWaitMs: 1, stallMs: 5000 }
  );
  await expect(read(range, new Uint8Array(10), { signal })).rejects.toMatchObject(untrusted);
  expect(connections).toBe(1);
});
