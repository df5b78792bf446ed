import { beforeAll, afterAll, expect, test } from 'vitest';
import { checkStore } from '../../src/storage/check-store.js';
import { withoutAwsEnvironment, setEnvironment } from '../helpers/aws-environment.js';
import { startRefusing } from '../helpers/refusing-server.js';
import { startS3FaultProxy, type S3FaultProxy } from '../helpers/s3-fault-proxy.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';

withoutAwsEnvironment();

describeWithS3('a look at an S3 store', () => {
  let s3: S3Server;
  let proxy: S3FaultProxy;

  beforeAll(async () => {
    s3 = await startVersitygw();
    proxy = await startS3FaultProxy(s3);
  });
  afterAll(async () => {
    await proxy.stop();
    await s3.stop();
  });

  test('leaves nothing, for it only begins to write', async () => {
    setEnvironment({ ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint });
    expect(await checkStore(`s3://${s3.bucket}/models`)).toEqual({ multipart: true });
    const writes = proxy.seen.filter(({ method }) => method !== 'GET');
    expect(writes.map(({ method, path }) => `${method} ${path}`)).toEqual([
      expect.stringMatching(/^POST .*\/models\/\.model-prefetch\/check-\w+$/),
      expect.stringMatching(/^DELETE .*\/models\/\.model-prefetch\/check-\w+$/),
    ]);
    expect(writes.map(({ query }) => [...query.keys()].filter((name) => /^upload/.test(name)))).toEqual([
      ['uploads'],
      ['uploadId'],
    ]);
  });

  test('says that the bucket is missing, and that the keys are wrong', async () => {
    setEnvironment(s3.env);
    await expect(checkStore('s3://no-such-bucket/x')).rejects.toThrow(/^BucketNotFound: /);
    setEnvironment({ ...s3.env, AWS_SECRET_ACCESS_KEY: 'wrong' });
    await expect(checkStore(`s3://${s3.bucket}/models`)).rejects.toThrow(/^StoreAccessDenied: /);
  });

  test('says that nobody may read', async () => {
    const denying = await startRefusing({ status: 403, code: 'AccessDenied' });
    setEnvironment({ ...s3.env, AWS_ENDPOINT_URL_S3: denying.endpoint });
    await expect(checkStore(`s3://${s3.bucket}/models`)).rejects.toThrow(/^StoreAccessDenied: /);
    await denying.stop();
  });
});
