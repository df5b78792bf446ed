import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { MiB } from '../../../src/core/units.js';
import { putBytes } from '../../../src/http/put-bytes.js';
import { bytes, collect } from '../../../src/storage/conformance/expectations.js';
import { openStore, type ObjectStore } from '../../../src/storage/index.js';
import { connectS3 } from '../../../src/storage/s3/s3-connection.js';
import { copyObject } from '../../../src/storage/s3/s3-copy.js';
import { startS3FaultProxy, type S3FaultProxy, type SeenRequest } from '../../helpers/s3-fault-proxy.js';
import { describeWithS3, startMinio, type S3Server } from '../../helpers/s3-servers.js';
import { bytesOf, failure, live, setUpTransfers } from '../../helpers/transfer-setup.js';

const kmsKey = 'key-of-models';
const setup = setUpTransfers();

describeWithS3('how a bucket is to be written and read', () => {
  let server: S3Server;
  let proxy: S3FaultProxy;
  let store: ObjectStore;
  const how = {
    sse: 'aws:kms',
    sseKmsKeyId: kmsKey,
    storageClass: 'REDUCED_REDUNDANCY',
    expectedBucketOwner: '123456789012',
    requestPayer: 'requester',
  } as const;

  beforeAll(async () => {
    server = await startMinio({ kmsKey });
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    proxy = await startS3FaultProxy(server);
    store = await openStore(`s3://${server.bucket}/${randomUUID()}`, { s3: { ...proxy.options, ...how } });
  });
  afterEach(async () => {
    await store.close();
    await proxy.stop();
    await setup.end();
  });

  const creating = {
    'x-amz-server-side-encryption': how.sse,
    'x-amz-server-side-encryption-aws-kms-key-id': kmsKey,
    'x-amz-storage-class': how.storageClass,
  };
  const always = { 'x-amz-expected-bucket-owner': how.expectedBucketOwner, 'x-amz-request-payer': 'requester' };
  const source = { 'x-amz-source-expected-bucket-owner': how.expectedBucketOwner };

  test('is said to a store with every request that takes it', async () => {
    // All kinds of requests, and nothing but what the proxy lets through unsigned would be missed.
    const object = bytesOf(6 * MiB);
    const engine = setup.engine({ partSizeBytes: 5 * MiB, memoryBytes: 40 * MiB });
    const transfer = { source: await setup.source(object), store, key: 'large', trust: 'verify-existing' } as const;
    await engine.transferFile(transfer, live());
    await engine.transferFile(transfer, live());
    await store.put('small', bytes('x'));
    await store.get('small');
    await store.copy('large', 'copied');
    await copyInParts();
    await writeWhole();
    await collect(store.list(''));
    await store.findUploads('large');
    await store.delete('small');
    await store.deleteMany(['large', 'copied']);

    const kinds = new Set(proxy.seen.map(kindOf));
    expect([...kinds].sort()).toEqual([
      'abort',
      'complete',
      'copy',
      'copy a part',
      'create an upload',
      'delete',
      'delete many',
      'get',
      'head',
      'list',
      'list parts',
      'list uploads',
      'put',
      'put a part',
    ]);
    for (const request of proxy.seen) {
      const kind = kindOf(request);
      const creates = ['put', 'create an upload', 'copy'].includes(kind);
      const expected = { ...always, ...(creates ? creating : {}), ...(kind.startsWith('copy') ? source : {}) };
      expect([kind, ourHeaders(request.headers)]).toEqual([kind, expected]);
    }
  });

  test('is said to no store unless it is set', async () => {
    const plain = await openStore(`s3://${server.bucket}/plain`, { s3: proxy.options });
    await plain.capabilities();
    await plain.put('a', bytes('x'));
    await plain.copy('a', 'b');
    expect(proxy.seen.flatMap(({ headers }) => Object.keys(ourHeaders(headers)))).toEqual([]);
    await plain.close();
  });

  test('with a key that there is none of, fails at once and is told as that', async () => {
    const other = await openStore(`s3://${server.bucket}/other`, {
      s3: { ...proxy.options, sse: 'aws:kms', sseKmsKeyId: 'no-such-key' },
    });
    const transfer = {
      source: await setup.source(bytesOf(6 * MiB)),
      store: other,
      key: 'a',
      trust: 'replace',
    } as const;
    const engine = setup.engine({ partSizeBytes: 5 * MiB, memoryBytes: 40 * MiB });
    for (const ask of [() => other.checkWritable(), () => engine.transferFile(transfer, live())]) {
      expect(await failure(ask())).toMatchObject({
        code: 'EncryptionKeyRefused',
        message: expect.stringContaining('MODEL_PREFETCH_S3_SSE_KMS_KEY_ID') as string,
      });
    }
    await other.close();
  });

  async function copyInParts(): Promise<void> {
    const prefix = new URL(store.root).pathname.slice(1);
    const connection = await connectS3({ bucket: server.bucket, prefix }, { ...proxy.options, ...how });
    await copyObject(connection, { from: 'large', to: 'copied', singleLimit: 1, partSize: 5 * MiB });
    connection.destroy();
  }

  async function writeWhole(): Promise<void> {
    const body = bytes('whole');
    const target = await store.objectTarget('whole', { size: body.byteLength });
    await store.confirmObject('whole', { size: body.byteLength }, await putBytes({ target, body }));
  }
});

const ours = /^x-amz-(?:server-side|storage|expected|source-expected|request-payer)/;

function ourHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => ours.test(name)));
}

function kindOf({ method, path, query, copies }: SeenRequest): string {
  if (copies) return query.has('partNumber') ? 'copy a part' : 'copy';
  if (query.has('partNumber')) return 'put a part';
  if (method === 'POST')
    return query.has('delete') ? 'delete many' : query.has('uploads') ? 'create an upload' : 'complete';
  if (method === 'DELETE') return query.has('uploadId') ? 'abort' : 'delete';
  if (method !== 'GET') return method.toLowerCase();
  if (query.has('uploads')) return 'list uploads';
  if (query.has('uploadId')) return 'list parts';
  return query.has('list-type') ? 'list' : path.endsWith('/') ? 'other' : 'get';
}
