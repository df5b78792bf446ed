import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { bytes } from '../../../src/storage/conformance/expectations.js';
import { openStore, type S3Options } from '../../../src/storage/index.js';
import { startS3FaultProxy, type S3FaultProxy } from '../../helpers/s3-fault-proxy.js';
import { describeWithS3, startMinio, type S3Server } from '../../helpers/s3-servers.js';

describeWithS3('a store that lacks what its settings ask for', () => {
  let server: S3Server;
  let proxy: S3FaultProxy;

  beforeAll(async () => {
    server = await startMinio();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    proxy = await startS3FaultProxy(server);
  });
  afterEach(() => proxy.stop());

  async function expectNamed(how: S3Options, code: string, variables: RegExp): Promise<void> {
    const store = await openStore(`s3://${server.bucket}/settings`, { s3: { ...proxy.options, ...how } });
    const asks = [() => store.capabilities(), () => store.checkWritable(), () => store.put('a', bytes('x'))];
    for (const ask of asks) {
      await expect(ask()).rejects.toMatchObject({
        code,
        permanent: true,
        message: expect.stringMatching(variables) as string,
      });
    }
    await store.close();
  }

  test('is told as that, and is no store without uploads in parts', async () => {
    await expectNamed({ sse: 'AES256' }, 'UnsupportedStore', /HTTP 501.*MODEL_PREFETCH_S3_SSE asks for/);
    const plain = await openStore(`s3://${server.bucket}/settings`, { s3: proxy.options });
    expect(await plain.capabilities()).toMatchObject({ multipart: true });
    await plain.close();
  });

  test('is told as that also where its abilities without them are known', async () => {
    const plain = await openStore(`s3://${server.bucket}/settings`, { s3: proxy.options });
    expect(await plain.capabilities()).toMatchObject({ multipart: true });
    await plain.close();
    await expectNamed({ sse: 'AES256' }, 'UnsupportedStore', /MODEL_PREFETCH_S3_SSE asks for/);
  });

  test.each([
    ['MODEL_PREFETCH_S3_STORAGE_CLASS', { storageClass: 'COLDER' }],
    ['MODEL_PREFETCH_S3_EXPECTED_BUCKET_OWNER', { expectedBucketOwner: '123456789012' }],
    ['MODEL_PREFETCH_S3_REQUEST_PAYER', { requestPayer: 'requester' }],
  ] as const)('is told with %s, where that is what is set', async (variable, how) => {
    const fault = { kind: 'answer', status: 400, code: 'InvalidArgument' } as const;
    proxy.inject({ match: ({ method }) => method === 'PUT' || method === 'POST', fault, times: 1000 });
    await expectNamed(how, 'StoreRefused', new RegExp(`${variable} asks for`));
  });

  test('is one without uploads in parts, where nothing is set', async () => {
    const fault = { kind: 'answer', status: 501, code: 'NotImplemented' } as const;
    proxy.inject({ match: ({ query }) => query.has('uploads'), fault, times: 1000 });
    const store = await openStore(`s3://${server.bucket}/settings`, { s3: proxy.options });
    expect(await store.capabilities()).toMatchObject({ multipart: false });
    await store.close();
  });
});
