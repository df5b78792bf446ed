import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { getRange } from '../../../src/http/get-range.js';
import { defaultLeastRate } from '../../../src/http/stall-watch.js';
import { bytes } from '../../../src/storage/conformance/expectations.js';
import { openStore, type ObjectStore, type S3Options } from '../../../src/storage/index.js';
import { setEnvironment, withoutAwsEnvironment, withProfile } from '../../helpers/aws-environment.js';
import { describeWithS3, startVersitygw, type S3Server } from '../../helpers/s3-servers.js';
import { startTlsProxy, type TlsProxy } from '../../helpers/tls-proxy.js';
import { tmpFolder } from '../../helpers/tmp.js';

withoutAwsEnvironment();

describeWithS3('a store whose certificate is of an authority of its own', () => {
  let server: S3Server;
  let proxy: TlsProxy;
  let s3: S3Options;

  beforeAll(async () => {
    server = await startVersitygw();
    proxy = await startTlsProxy(server.endpoint);
    s3 = { ...server.options, endpoint: proxy.endpoint };
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });

  test('is trusted with AWS_CA_BUNDLE, for control and for bytes', async () => {
    setEnvironment({ AWS_CA_BUNDLE: proxy.caFile });
    await roundTrip(await openStore(`s3://${server.bucket}/by-env`, { s3 }));
  });

  test('is trusted with ca_bundle of the profile', async () => {
    await withProfile([`ca_bundle = ${proxy.caFile}`], async () => {
      await roundTrip(await openStore(`s3://${server.bucket}/by-profile`, { s3 }));
    });
  });

  test('is not trusted otherwise, which no waiting heals', async () => {
    // Connections that another store has opened with its authority are not used for this one.
    const store = await openStore(`s3://${server.bucket}/not`, { s3 });
    for (const ask of [() => store.head('a'), () => store.put('a', bytes('x'))]) {
      await expect(ask()).rejects.toMatchObject({
        code: 'StoreRefused',
        permanent: true,
        message: expect.stringMatching(/AWS_CA_BUNDLE.*NODE_EXTRA_CA_CERTS/) as string,
      });
    }
    await store.close();
  });

  test('is not trusted for another host either', async () => {
    const other = await startTlsProxy(server.endpoint, 'DNS:elsewhere.test');
    setEnvironment({ AWS_CA_BUNDLE: other.caFile });
    const store = await openStore(`s3://${server.bucket}/not`, { s3: { ...s3, endpoint: other.endpoint } });
    await expect(store.head('a')).rejects.toMatchObject({ code: 'StoreRefused', permanent: true });
    await store.close();
    await other.stop();
  });
});

describe('a bundle of authorities', () => {
  test.each(['missing', 'empty'])('that is %s is told before anything is sent', async (which) => {
    const path = `${await tmpFolder()}/ca.pem`;
    if (which === 'empty') await writeFile(path, 'no certificate');
    setEnvironment({ AWS_CA_BUNDLE: path });
    const s3 = {
      endpoint: 'https://127.0.0.1:9',
      region: 'r',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    };
    await expect(openStore('s3://models/x', { s3 })).rejects.toThrow(/^InvalidInput: AWS_CA_BUNDLE/);
  });
});

async function roundTrip(store: ObjectStore): Promise<void> {
  const body = bytes('some bytes');
  await store.put('a', body);
  expect(await store.get('a')).toEqual(body);
  const target = await store.readTarget('a');
  if (target.kind !== 'http') throw new Error('expected an HTTP target');
  const into = new Uint8Array(body.byteLength);
  const range = { start: 0, end: body.byteLength };
  const { signal } = new AbortController();
  await getRange({ target, range, totalSize: range.end, into, signal, stallMs: 5_000, leastRate: defaultLeastRate });
  expect(into).toEqual(body);
  await store.close();
}
