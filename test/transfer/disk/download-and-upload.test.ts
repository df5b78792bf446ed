import type { ServerResponse } from 'node:http';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { downloadAndUploadFile } from '../../../src/transfer/disk/download-and-upload.js';
import { until } from '../../helpers/local-server.js';
import { sha256Of, type TestSourceOptions } from '../../helpers/test-source.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { bytesOf, failure, live, partSize, setUpTransfers } from '../../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

const size = 5 * partSize + 9;

async function request(bytes: Buffer, options: TestSourceOptions & { readonly multipart?: boolean } = {}) {
  return {
    source: await setup.source(bytes, options),
    store: await setup.store({ multipart: options.multipart ?? false }),
    key: 'dir/weights.bin',
    trust: 'verify-existing' as const,
    folder: join(await tmpFolder(), 'downloads'),
    engine: setup.engine(),
  };
}

/** A source that knows no ranges. */
function ignoreRanges(bytes: Buffer): TestSourceOptions {
  return {
    intercept: (_, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes);
      return true;
    },
  };
}

test.each([0, 500, size])('a file of %i bytes reaches a store that takes no parts', async (length) => {
  const bytes = bytesOf(length);
  const asked = await request(bytes);
  const done: number[] = [];
  const result = await downloadAndUploadFile(asked, {
    ...live(),
    onProgress: ({ bytesDone }) => done.push(bytesDone),
  });
  expect(asked.store.objects.get(asked.key)?.equals(bytes)).toBe(true);
  const etag = (await asked.store.head(asked.key))?.etag;
  expect(result).toEqual({ etag, size: length, fetchedBytes: length, how: 'fetched' });
  expect(done.at(-1)).toBe(length);
  expect(await readdir(asked.folder).catch(() => [])).toEqual([]);
  expect(await downloadAndUploadFile(asked, live())).toMatchObject({ how: 'found', fetchedBytes: 0 });
});

test('a source without ranges reaches a store that takes parts', async () => {
  const bytes = bytesOf(size);
  const asked = await request(bytes, { ...ignoreRanges(bytes), multipart: true });
  const result = await downloadAndUploadFile(asked, live());
  expect(result).toMatchObject({ how: 'fetched', fetchedBytes: size });
  expect(asked.store.objects.get(asked.key)?.equals(bytes)).toBe(true);
  expect(asked.store.calls).toContain('PUT part 6');
  expect(await readdir(asked.folder)).toEqual([]);
});

const wholes: [title: string, answer: (response: ServerResponse, bytes: Buffer) => void][] = [
  ['in chunks', (response, bytes) => response.writeHead(200).end(bytes)],
  ['as a 206 that does not say which range', (response, bytes) => response.writeHead(206).end(bytes)],
  [
    'until it closes the connection',
    (response, bytes) => response.writeHead(200, { Connection: 'close', 'Transfer-Encoding': 'identity' }).end(bytes),
  ],
];

test.each(wholes)('a source that gives all of a file %s, whatever is asked, reaches the store', async (_, answer) => {
  const bytes = bytesOf(size);
  const asked = await request(bytes, {
    intercept: (_incoming, response) => {
      answer(response, bytes);
      return true;
    },
  });
  expect(await downloadAndUploadFile(asked, live())).toMatchObject({ how: 'fetched', fetchedBytes: size });
  expect(asked.store.objects.get(asked.key)?.equals(bytes)).toBe(true);
  expect(asked.source.starts).toEqual([0]);
});

test('a source without ranges that breaks off once is read from its start again', async () => {
  const bytes = bytesOf(size);
  const asked = await request(bytes, {
    intercept: (_, response, count) => {
      response.writeHead(200);
      if (count > 1) response.end(bytes);
      else response.write(bytes.subarray(0, partSize), () => response.socket?.end());
      return true;
    },
  });
  expect(await downloadAndUploadFile(asked, live())).toMatchObject({ how: 'fetched' });
  expect(asked.store.objects.get(asked.key)?.equals(bytes)).toBe(true);
});

const hopeless: [title: string, answer: (response: ServerResponse, bytes: Buffer) => void, said: RegExp][] = [
  [
    'breaks off each time, and gives no rest',
    (response, bytes) => {
      response.writeHead(200).write(bytes.subarray(0, partSize), () => response.socket?.end());
    },
    /no ranges, and all of the file broke off 5 times.*after \d+ of/,
  ],
  [
    'ends too early each time, and gives no rest',
    (response, bytes) => response.writeHead(200).end(bytes.subarray(0, partSize)),
    /no ranges, and all of the file broke off 5 times/,
  ],
  [
    'is longer each time',
    (response, bytes) => response.writeHead(200).end(`${bytes.toString('latin1')}x`),
    /more than/,
  ],
  [
    'is another range each time',
    (response, bytes) => response.writeHead(206, { 'Content-Range': `bytes 1-${size}/${size}` }).end(bytes),
    /nothing that can be used.*sent "bytes 1-/,
  ],
  [
    'is encoded each time',
    (response, bytes) =>
      response.writeHead(200, { 'Content-Encoding': 'gzip', 'Transfer-Encoding': 'chunked' }).end(bytes),
    /nothing that can be used.*encoded as "gzip"/,
  ],
];

test.each(hopeless)('a source that %s fails for good after a few tries', async (_, answer, said) => {
  const bytes = bytesOf(size);
  const asked = await request(bytes, {
    intercept: (_incoming, response) => {
      answer(response, bytes);
      return true;
    },
  });
  const error = await failure(downloadAndUploadFile(asked, live()));
  expect(error).toMatchObject({ code: 'StreamingUnsupported', permanent: true });
  expect(String(error)).toMatch(said);
  expect(asked.source.starts.length).toBeLessThanOrEqual(10);
});

test('an outage of a source without ranges is one that passes', async () => {
  const bytes = bytesOf(size);
  const asked = await request(bytes, {
    intercept: (_, response, count) => {
      if (count === 1) response.writeHead(200).write(bytes.subarray(0, partSize), () => response.socket?.end());
      else response.writeHead(503).end();
      return true;
    },
  });
  const error = await failure(downloadAndUploadFile(asked, live()));
  expect(error).toMatchObject({ code: 'SourceUnavailable', permanent: false });
});

test('a download that was cut goes on', async () => {
  const bytes = bytesOf(size);
  let cuts = 0;
  const asked = await request(bytes, {
    intercept: (_, response) => {
      if (cuts++ > 0) return false;
      response.writeHead(206, { 'Content-Range': `bytes 0-${size - 1}/${size}`, 'Content-Length': size });
      response.write(bytes.subarray(0, 3 * partSize));
      return true;
    },
  });
  const abort = new AbortController();
  let fetched = 0;
  const moving = failure(
    downloadAndUploadFile(asked, { signal: abort.signal, onProgress: ({ fetchedBytes }) => (fetched = fetchedBytes) })
  );
  await until(() => fetched === 3 * partSize, 'three parts');
  abort.abort(new Error('cut'));
  expect(await moving).toMatchObject({ message: 'cut' });
  expect(await readdir(asked.folder)).toHaveLength(1);
  const result = await downloadAndUploadFile(asked, live());
  expect(result).toMatchObject({ how: 'resumed', fetchedBytes: size - 3 * partSize });
  expect(asked.source.starts).toEqual([0, 3 * partSize]);
  expect(asked.store.objects.get(asked.key)?.equals(bytes)).toBe(true);
});

test('a cut download of a source without ranges starts again', async () => {
  const bytes = bytesOf(size);
  const asked = await request(bytes, ignoreRanges(bytes));
  const { mkdir } = await import('node:fs/promises');
  await mkdir(asked.folder, { recursive: true });
  await writeFile(join(asked.folder, `${asked.source.digest.hex}.part`), bytes.subarray(0, 1000));
  expect(await downloadAndUploadFile(asked, live())).toMatchObject({ fetchedBytes: size });
  expect(asked.store.objects.get(asked.key)?.equals(bytes)).toBe(true);
});

test.each([
  ['wrong', 3 * partSize],
  ['too long', size + 10],
  ['complete but wrong', size],
])('a local copy that is %s is found out', async (_, length) => {
  const bytes = bytesOf(size);
  const asked = await request(bytes);
  const { mkdir } = await import('node:fs/promises');
  await mkdir(asked.folder, { recursive: true });
  await writeFile(join(asked.folder, `${asked.source.digest.hex}.part`), bytesOf(length));
  await downloadAndUploadFile(asked, live());
  expect(asked.store.objects.get(asked.key)?.equals(bytes)).toBe(true);
});

test('wrong bytes, twice, are a mismatch: nothing is uploaded and no copy stays', async () => {
  const asked = await request(bytesOf(size), { digest: sha256Of(bytesOf(1)) });
  expect(await failure(downloadAndUploadFile(asked, live()))).toMatchObject({ code: 'DigestMismatch' });
  expect(asked.source.starts).toEqual([0, 0]);
  expect(asked.store.objects.size).toBe(0);
  expect(await readdir(asked.folder)).toEqual([]);
});

test('two files of equal content at once share the folder and not the copy', async () => {
  const bytes = bytesOf(size);
  const asked = await request(bytes);
  await Promise.all([
    downloadAndUploadFile(asked, live()),
    downloadAndUploadFile({ ...asked, key: 'dir/other.bin' }, live()),
  ]);
  expect(asked.store.objects.get('dir/weights.bin')?.equals(bytes)).toBe(true);
  expect(asked.store.objects.get('dir/other.bin')?.equals(bytes)).toBe(true);
});

test('who waits for the copy of an equal file gives up at once when told to', async () => {
  const bytes = bytesOf(size);
  const held: ServerResponse[] = [];
  const asked = await request(bytes, { intercept: (_, response) => held.push(response) > 0 });
  const first = new AbortController();
  const moving = failure(downloadAndUploadFile(asked, first));
  await until(() => held.length === 1, 'a download that stands');
  const second = new AbortController();
  const waiting = failure(downloadAndUploadFile({ ...asked, key: 'dir/other.bin' }, second));
  second.abort(new Error('enough'));
  expect(await waiting).toMatchObject({ message: 'enough' });
  first.abort(new Error('over'));
  expect(await moving).toMatchObject({ message: 'over' });
});

test('a disk without room is named with what is needed and what is free', async () => {
  const asked = await request(bytesOf(size));
  const source = { ...asked.source, size: 2 ** 52 };
  const error = await failure(downloadAndUploadFile({ ...asked, source }, live()));
  expect(error).toMatchObject({ code: 'DiskFull', details: { path: asked.folder, neededBytes: 2 ** 52 } });
  expect(String(error)).toContain(asked.folder);
  expect(asked.source.starts).toEqual([]);
});

test('a part of the upload that fails is sent again from the copy', async () => {
  const bytes = bytesOf(size);
  const asked = await request(bytes);
  let faults = 0;
  asked.store.faults.intercept = (incoming, response, name) => {
    if (!name.startsWith('PUT') || faults++ > 0) return false;
    incoming.resume().on('end', () => response.writeHead(500).end());
    return true;
  };
  expect(await downloadAndUploadFile(asked, live())).toMatchObject({ fetchedBytes: size });
  expect(asked.store.objects.get(asked.key)?.equals(bytes)).toBe(true);
});
