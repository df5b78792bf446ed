import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { openStore, type ObjectStore } from '../../../src/storage/index.js';
import { startServer, type LocalServer } from '../../helpers/local-server.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A bucket that answers deletions only. */
async function open(
  answer: (request: IncomingMessage, response: ServerResponse) => void
): Promise<{ readonly store: ObjectStore; readonly deleted: string[] }> {
  const deleted: string[] = [];
  const server: LocalServer = await startServer((request, response) => {
    request.resume();
    if (request.method === 'POST') {
      answer(request, response);
      return;
    }
    deleted.push(`${request.method ?? ''} ${request.url?.split('?')[0] ?? ''}`);
    response.writeHead(204).end();
  });
  const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
  const store = await openStore('s3://bucket/models', { s3: { endpoint: server.origin, region: 'r', credentials } });
  closing.push(
    () => store.close(),
    () => server.close()
  );
  return { store, deleted };
}

const result = (errors: string): string => `<?xml version="1.0"?><DeleteResult>${errors}</DeleteResult>`;
const errorOf = (key: string, code: string): string =>
  `<Error><Key>models/${key}</Key><Code>${code}</Code><Message>no</Message></Error>`;

test('what a request for many objects leaves is removed by itself, whatever stands first in the list', async () => {
  const { store, deleted } = await open((_request, response) => {
    response.end(result(errorOf('gone', 'NoSuchKey') + errorOf('busy', 'InternalError')));
  });
  await store.deleteMany(['gone', 'busy', 'done']);
  expect(deleted).toEqual(['DELETE /bucket/models/busy']);
});

test.each([400, 403, 405, 501])('a store that answers %i to it removes one by one', async (status) => {
  const { store, deleted } = await open((_request, response) => {
    response.writeHead(status).end();
  });
  await store.deleteMany(['a', 'b']);
  expect(deleted.sort()).toEqual(['DELETE /bucket/models/a', 'DELETE /bucket/models/b']);
});

test('a thousand go with each request', async () => {
  let requests = 0;
  const { store, deleted } = await open((_request, response) => {
    requests++;
    response.end(result(''));
  });
  await store.deleteMany(Array.from({ length: 2001 }, (_, number) => `key-${number}`));
  expect(requests).toBe(3);
  expect(deleted).toEqual([]);
});
