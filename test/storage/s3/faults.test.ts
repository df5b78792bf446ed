import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { isPrefetchError } from '../../../src/core/errors.js';
import { assertBytes, bytes, collect, pattern } from '../../../src/storage/conformance/expectations.js';
import { sendPart } from '../../../src/storage/conformance/send-part.js';
import { openStore, type ObjectStore, type Receipt, type Upload } from '../../../src/storage/index.js';
import { startS3FaultProxy, type S3FaultProxy, type SeenRequest } from '../../helpers/s3-fault-proxy.js';
import { describeWithS3, startMinio, startVersitygw, type S3Server } from '../../helpers/s3-servers.js';

const partSize = 5 * 1024 * 1024;

for (const [name, start] of [
  ['versitygw', startVersitygw],
  ['minio', startMinio],
] as const) {
  describeWithS3(`faults between here and ${name}`, () => {
    let server: S3Server;
    let proxy: S3FaultProxy;
    let store: ObjectStore;

    beforeAll(async () => {
      server = await start();
    });
    afterAll(async () => {
      await server.stop();
    });
    beforeEach(async () => {
      proxy = await startS3FaultProxy(server);
      store = await openStore(`s3://${server.bucket}/${randomUUID()}`, { s3: { ...proxy.options, stallMs: 1_000 } });
      await store.capabilities();
    });
    afterEach(async () => {
      await store.close();
      await proxy.stop();
    });

    test('asks what the store can do once per process and address', async () => {
      const another = await openStore(`s3://${server.bucket}/another`, { s3: proxy.options });
      await Promise.all([another.capabilities(), store.capabilities(), another.capabilities()]);
      const before = proxy.seen.length;
      await another.capabilities();
      expect(proxy.seen.length).toBe(before);
      expect(proxy.seen.filter(({ method, query }) => method === 'POST' && query.has('uploads'))).toHaveLength(2);
      await another.close();
    });

    test.each([
      [
        'list uploads',
        ({ method, query }: SeenRequest) => method === 'GET' && query.has('uploads'),
        { listsUploads: false, putIfAbsent: true, putIfMatch: true },
      ],
      // The second time that a key is written.
      [
        'overwrite',
        ({ method, query }: SeenRequest) => method === 'PUT' && !query.has('partNumber'),
        { putIfAbsent: false, putIfMatch: false },
      ],
    ])('is good for all else where nobody may %s', async (_what, match, expected) => {
      const fresh = await startS3FaultProxy(server);
      fresh.inject({
        match: (request) => match(request) && (request.query.has('uploads') || request.path.includes('probe-')),
        fault: { kind: 'answer', status: 403, code: 'AccessDenied' },
        times: Number.POSITIVE_INFINITY,
      });
      const limited = await openStore(`s3://${server.bucket}/${randomUUID()}`, { s3: fresh.options });
      const all = { multipart: true, conditionalComplete: true };
      expect(await limited.capabilities()).toMatchObject({ ...all, ...expected });
      await limited.put('small', pattern(10));
      await limited.close();
      await fresh.stop();
    });

    test.each([
      { kind: 'answer', status: 503, code: 'SlowDown' },
      { kind: 'answer', status: 500, code: 'InternalError' },
      { kind: 'reset' },
      { kind: 'stall' },
      { kind: 'cutBody' },
      { kind: 'loseAnswer' },
    ] as const)('puts an object in spite of %o', async (fault) => {
      proxy.inject({ match: isPut, fault, times: 2 });
      await store.put('object', pattern(200_000));
      assertBytes(await store.get('object'), pattern(200_000));
    });

    test('keeps the old object when the new one never arrives whole', async () => {
      await store.put('object', bytes('old'));
      proxy.inject({ match: isPut, fault: { kind: 'cutBody' }, times: 100 });
      await expect(store.put('object', pattern(300_000))).rejects.toThrow(/^StoreUnavailable: /);
      assertBytes(await store.get('object'), bytes('old'));
    });

    test('reports a store that stays away, with the delay that it asked for', async () => {
      const headers = { 'retry-after': '0' };
      const fault = { kind: 'answer', status: 503, code: 'SlowDown', headers } as const;
      proxy.inject({ match: isPut, fault, times: 100 });
      await expect(store.put('object', bytes('x'))).rejects.toMatchObject({
        code: 'StoreUnavailable',
        retryAfterMs: 0,
      });
      proxy.inject({ match: () => true, fault, times: 100 });
      await expect(collect(store.list(''))).rejects.toMatchObject({ code: 'StoreUnavailable' });
    });

    test('gives up a lookup that nobody answers', async () => {
      proxy.inject({ match: () => true, fault: { kind: 'stall' }, times: 100 });
      await expect(store.head('object')).rejects.toThrow(/^StoreUnavailable: /);
    });

    test('does not take half an answer for an object', async () => {
      await store.put('object', pattern(100_000));
      proxy.inject({ match: ({ method }) => method === 'GET', fault: { kind: 'cutAnswer' }, times: 100 });
      await expect(store.get('object')).rejects.toThrow(/^StoreUnavailable: /);
    });

    test('ends at once when it is aborted', async () => {
      proxy.inject({ match: () => true, fault: { kind: 'stall' }, times: 100 });
      const reason = new Error('the caller had enough');
      const controller = new AbortController();
      const waiting = [
        store.put('object', bytes('x'), { signal: controller.signal }),
        store.head('object', { signal: controller.signal }),
        collect(store.list('', { signal: controller.signal })),
      ].map((promise) => expect(promise).rejects.toBe(reason));
      controller.abort(reason);
      await Promise.all(waiting);
    });

    test('gives its own object or says that the upload is gone when the answer to a complete was lost', async () => {
      const { upload, receipts, body } = await uploaded(store);
      proxy.inject({ match: isComplete, fault: { kind: 'loseAnswer' } });
      const completed: unknown = await store
        .completeUpload(upload, receipts, { size: body.byteLength })
        .catch((error: unknown) => isPrefetchError(error) && error.code);
      expect([await store.head('object'), 'UploadNotFound']).toContainEqual(completed);
      assertBytes(await store.get('object'), body);
    });

    test('does not take an error for a success because its status is 200', async () => {
      const { upload, receipts, body } = await uploaded(store);
      const fault = { kind: 'answer', status: 200, code: 'InternalError' } as const;
      proxy.inject({ match: isComplete, fault, times: 100 });
      const size = body.byteLength;
      await expect(store.completeUpload(upload, receipts, { size })).rejects.toThrow(/^StoreUnavailable: /);
      expect(await store.head('object')).toBeUndefined();
      expect(await store.listParts(upload)).toHaveLength(2);
    });

    test('publishes nothing when the checksum of the whole object is another one', async () => {
      const { upload, receipts, body } = await uploaded(store);
      await expect(store.completeUpload(upload, receipts, { size: body.byteLength, crc32: 1 })).rejects.toThrow();
      expect(await store.head('object')).toBeUndefined();
    });

    test('says UploadNotFound when the upload is gone and no such object is there', async () => {
      const { upload, receipts, body } = await uploaded(store);
      await store.abortUpload(upload);
      const size = body.byteLength;
      await expect(store.completeUpload(upload, receipts, { size })).rejects.toThrow(/^UploadNotFound: /);
      await store.put('object', bytes('another'));
      await expect(store.completeUpload(upload, receipts, { size })).rejects.toThrow(/^UploadNotFound: /);
    });

    test('finds no uploads where the store cannot list them', async () => {
      await uploaded(store);
      const fault = { kind: 'answer', status: 501, code: 'NotImplemented' } as const;
      proxy.inject({ match: ({ query }) => query.has('uploads'), fault, times: 100 });
      expect(await store.findUploads('object')).toEqual([]);
    });
  });
}

function isPut({ method, query }: SeenRequest): boolean {
  return method === 'PUT' && !query.has('partNumber');
}

function isComplete({ method, query }: SeenRequest): boolean {
  return method === 'POST' && query.has('uploadId');
}

async function uploaded(store: ObjectStore): Promise<{ upload: Upload; receipts: Receipt[]; body: Uint8Array }> {
  const body = pattern(partSize + 1_000);
  const upload = await store.createUpload('object', { size: body.byteLength, partSize });
  const receipts = [
    await sendPart(store, upload, { partNumber: 1, position: 0, body: body.subarray(0, partSize) }),
    await sendPart(store, upload, { partNumber: 2, position: partSize, body: body.subarray(partSize) }),
  ];
  return { upload, receipts, body };
}
