import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { crc32 } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { isPrefetchError } from '../../../src/core/errors.js';
import { putBytes } from '../../../src/http/put-bytes.js';
import { assertBytes, bytes, collect, pattern } from '../../../src/storage/conformance/expectations.js';
import { openStore, type ObjectStore, type S3Options } from '../../../src/storage/index.js';
import { connectS3 } from '../../../src/storage/s3/s3-connection.js';
import { copyObject } from '../../../src/storage/s3/s3-copy.js';
import {
  describeWithRclone,
  describeWithS3,
  startMinio,
  startRcloneS3,
  startVersitygw,
  type S3Server,
} from '../../helpers/s3-servers.js';

const savedEnv = { ...process.env };

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, {
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  });
});

afterEach(() => {
  process.env = { ...savedEnv };
});

for (const [name, start] of [
  ['versitygw', startVersitygw],
  ['minio', startMinio],
] as const) {
  describeWithS3(`the S3 store at ${name}`, () => {
    let server: S3Server;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(async () => {
      await server.stop();
    });

    test('says which bucket is missing, and where', async () => {
      const error = await failureOf({ server, bucket: 'not-there', options: server.options });
      expect(error).toMatchObject({ code: 'BucketNotFound', permanent: true });
      expect(error.message).toContain('not-there');
      expect(error.message).toContain(server.endpoint);
    });

    test.each([
      ['a wrong secret', { secretAccessKey: 'wrong-secret-value' }],
      ['an unknown access key', { accessKeyId: 'AKIAUNKNOWN' }],
    ])('refuses %s as StoreAccessDenied and keeps secrets out of the error', async (_title, wrong) => {
      const credentials = { accessKeyId: server.accessKey, secretAccessKey: server.secretKey, ...wrong };
      const error = await failureOf({ server, options: { ...server.options, credentials } });
      expect(error.code).toBe('StoreAccessDenied');
      expect(error.message).toContain('AWS_ACCESS_KEY_ID');
      const everything = inspect(error, { depth: 10, showHidden: true });
      for (const secret of [credentials.secretAccessKey, credentials.accessKeyId, 'X-Amz-', 'Signature=']) {
        expect(everything.toLowerCase()).not.toContain(secret.toLowerCase());
      }
    });

    test('says that there are no credentials', async () => {
      const options = { endpoint: server.endpoint, region: 'us-east-1' };
      const error = await failureOf({ server, options });
      expect(error).toMatchObject({ code: 'StoreCredentialsMissing', permanent: true });
      expect(error.message).toContain('AWS_PROFILE');
    });

    test('is configured by the standard environment alone', async () => {
      Object.assign(process.env, server.env);
      await roundTrip(await openStore(`s3://${server.bucket}/by-env`));
    });

    test('is configured by a profile alone', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'prefetch-aws-'));
      const config = [
        '[profile models]',
        'region = us-east-1',
        `endpoint_url = ${server.endpoint}`,
        `aws_access_key_id = ${server.accessKey}`,
        `aws_secret_access_key = ${server.secretKey}`,
      ];
      await writeFile(join(folder, 'config'), config.join('\n'));
      Object.assign(process.env, { AWS_CONFIG_FILE: join(folder, 'config'), AWS_PROFILE: 'models' });
      await roundTrip(await openStore(`s3://${server.bucket}/by-profile`));
      await rm(folder, { recursive: true });
    });

    test('copies what is too big for one request in parts', async () => {
      const place = { bucket: server.bucket, prefix: 'big copies/' };
      const connection = await connectS3(place, server.options);
      const store = await openStore(`s3://${server.bucket}/big%20copies`, { s3: server.options });
      const body = pattern(11 * 1024 * 1024 + 7);
      const target = await store.objectTarget('from é', { size: body.byteLength, crc32: crc32(body) });
      expect((await putBytes({ target, body })).status).toBe(200);
      const parts = { singleLimit: 1024, partSize: 5 * 1024 * 1024 };
      const copied = await copyObject(connection, { from: 'from é', to: 'to #1', ...parts });
      expect(copied).toEqual(await store.head('to #1'));
      assertBytes(await store.get('to #1'), body);
      await store.close();
      connection.client.destroy();
    });

    test('gives targets that the bytes of an object can be read from', async () => {
      const store = await openStore(`s3://${server.bucket}/reading`, { s3: server.options });
      await store.put('a b', bytes('0123456789'));
      const target = await store.readTarget('a b');
      if (target.kind !== 'http') throw new Error('expected an HTTP target');
      const answer = await fetch(target.url, { headers: { ...target.headers, range: 'bytes=2-4' } });
      expect([answer.status, await answer.text()]).toEqual([206, '234']);
      await store.close();
    });

    test('refuses one request for what S3 takes in parts only', async () => {
      const store = await openStore(`s3://${server.bucket}/`, { s3: server.options });
      await expect(store.objectTarget('big', { size: 5 * 2 ** 30 + 1 })).rejects.toThrow(/^StreamingUnsupported: /);
      await store.close();
    });
  });
}

describeWithRclone('the S3 store at rclone, which cannot replace parts', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startRcloneS3();
  });
  afterAll(async () => {
    await server.stop();
  });

  test('reports that it has no multipart, and takes whole objects', async () => {
    const store = await openStore(`s3://${server.bucket}/fallback`, { s3: server.options });
    expect(await store.capabilities()).toMatchObject({ multipart: false, partChecksums: false });
    await store.checkWritable();
    const body = pattern(6 * 1024 * 1024);
    const target = await store.objectTarget('big', { size: body.byteLength });
    expect((await putBytes({ target, body })).status).toBe(200);
    assertBytes(await store.get('big'), body);
    expect((await collect(store.list(''))).map(({ key }) => key)).toEqual(['big']);
    await store.close();
  });
});

test('reports a store that is not there as unavailable', async () => {
  const options = {
    endpoint: 'http://127.0.0.1:1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  };
  const store = await openStore('s3://bucket/x', { s3: options });
  await expect(store.checkWritable()).rejects.toMatchObject({ code: 'StoreUnavailable', permanent: false });
  await store.close();
});

test('refuses an endpoint that is no URL', async () => {
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  await expect(openStore('s3://bucket/x', { s3: { endpoint: 'not a url', credentials } })).rejects.toThrow(
    /^InvalidInput: .*AWS_ENDPOINT_URL_S3/
  );
});

async function failureOf(place: {
  readonly server: S3Server;
  readonly bucket?: string;
  readonly options: S3Options;
}): Promise<Error & { code: string }> {
  try {
    const store = await openStore(`s3://${place.bucket ?? place.server.bucket}/x`, { s3: place.options });
    // A bucket whose abilities are known already takes the other way through the code.
    await store.checkWritable();
  } catch (error) {
    if (isPrefetchError(error)) return error;
    throw error;
  }
  throw new Error('expected a failure');
}

async function roundTrip(store: ObjectStore): Promise<void> {
  await store.checkWritable();
  await store.put('a b', bytes('x'));
  expect(await store.get('a b')).toEqual(bytes('x'));
  await store.close();
}
