import dns, { type LookupOptions } from 'node:dns';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';

import { getRange } from '../../../src/http/get-range.js';
import { defaultLeastRate } from '../../../src/http/stall-watch.js';
import { bytes } from '../../../src/storage/conformance/expectations.js';
import { sendPart } from '../../../src/storage/conformance/send-part.js';
import { openStore, type ObjectStore, type S3Options } from '../../../src/storage/index.js';
import { setEnvironment, withoutAwsEnvironment, withProfile } from '../../helpers/aws-environment.js';
import { startRefusing } from '../../helpers/refusing-server.js';
import { startS3FaultProxy, type S3FaultProxy, type SeenRequest } from '../../helpers/s3-fault-proxy.js';
import { describeWithS3, startVersitygw, type S3Server } from '../../helpers/s3-servers.js';

const region = 'eu-test-1';

withoutAwsEnvironment();

describeWithS3('a store that takes requests for its own region only', () => {
  let server: S3Server;
  let proxy: S3FaultProxy;
  /** What is configured, but for the region. */
  let s3: S3Options;

  beforeAll(async () => {
    server = await startVersitygw({ region });
  });
  afterAll(async () => {
    await server.stop();
  });
  beforeEach(async () => {
    proxy = await startS3FaultProxy(server);
    const { endpoint = '', credentials } = proxy.options;
    s3 = { endpoint, ...(credentials === undefined ? {} : { credentials }) };
  });
  afterEach(async () => {
    await proxy.stop();
  });

  const refused = ({ status }: SeenRequest): boolean => status === 400;

  test.each([
    ['AWS_REGION', { AWS_REGION: region, AWS_DEFAULT_REGION: 'us-west-2' }],
    ['AWS_DEFAULT_REGION', { AWS_DEFAULT_REGION: region }],
    ['AWS_DEFAULT_REGION beside an empty AWS_REGION', { AWS_REGION: '', AWS_DEFAULT_REGION: region }],
  ])('is asked in the region of %s at once', async (_name, variables) => {
    setEnvironment(variables);
    const store = await openStore(`s3://${server.bucket}/by-env`, { s3 });
    expect(await store.head('nothing')).toBeUndefined();
    expect(proxy.seen).toHaveLength(1);
    await store.close();
  });

  test('is asked in the region of the profile at once', async () => {
    await withProfile([`region = ${region}`], async () => {
      const store = await openStore(`s3://${server.bucket}/by-profile`, { s3 });
      expect(await store.head('nothing')).toBeUndefined();
      expect(proxy.seen).toHaveLength(1);
      await store.close();
    });
  });

  test('names its region, which is used from then on, for bytes too', async () => {
    const store = await openStore(`s3://${server.bucket}/named`, { s3 });
    await Promise.all(['a', 'b', 'c'].map((key) => store.put(key, bytes(key))));
    expect(await store.get('a')).toEqual(bytes('a'));
    const before = proxy.seen.filter(refused).length;
    const body = new Uint8Array(10);
    const upload = await store.createUpload('d', { size: 10, partSize: 5 * 1024 * 1024 });
    const receipt = await sendPart(store, upload, { partNumber: 1, position: 0, body });
    await store.completeUpload(upload, [receipt], { size: 10 });
    const target = await store.readTarget('d');
    expect(target.kind === 'http' && (await fetch(target.url, { headers: target.headers })).status).toBe(200);
    expect(proxy.seen.filter(refused).length).toBe(before);
    await store.close();
  });

  test('names its region to bytes that are sent first, by a store whose abilities are known', async () => {
    const known = await openStore(`s3://${server.bucket}/known`, { s3: { ...s3, region } });
    await known.capabilities();
    const store = await openStore(`s3://${server.bucket}/other`, { s3 });
    await store.put('a', bytes('a'));
    expect((await store.head('a'))?.size).toBe(1);
    await known.close();
    await store.close();
  });

  test('is told to be elsewhere by an answer without a body too', async () => {
    const fault = { kind: 'answer', status: 301, code: 'PermanentRedirect' } as const;
    proxy.inject({ match: () => true, fault: { ...fault, headers: { 'x-amz-bucket-region': region } } });
    const store = await openStore(`s3://${server.bucket}/redirected`, { s3: { ...s3, region: 'us-west-2' } });
    expect(await store.head('nothing')).toBeUndefined();
    await store.close();
  });

  test.each([
    [301, 'PermanentRedirect'],
    [400, 'AuthorizationHeaderMalformed'],
    [400, 'IllegalLocationConstraintException'],
  ])(
    'fails for good where HTTP %i goes on after one try there, and says which region it named',
    async (status, code) => {
      const headers = { 'x-amz-bucket-region': 'ap-east-9' };
      proxy.inject({ match: () => true, fault: { kind: 'answer', status, code, headers }, times: 100 });
      const store = await openStore(`s3://${server.bucket}/never`, { s3 });
      await expect(store.get('a')).rejects.toMatchObject({
        code: 'BucketNotFound',
        message: expect.stringMatching(/region ap-east-9: set AWS_REGION=ap-east-9/) as string,
      });
      expect(proxy.seen).toHaveLength(2);
      await store.close();
    }
  );

  test('is waited for where it sends elsewhere for a while', async () => {
    const fault = { kind: 'answer', status: 307, code: 'TemporaryRedirect' } as const;
    proxy.inject({ match: () => true, fault, times: 100 });
    const store = await openStore(`s3://${server.bucket}/new`, { s3: { ...s3, region } });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'StoreUnavailable', permanent: false });
    await store.close();
  });
});

describeWithS3('a store that takes buckets in host names only', () => {
  let server: S3Server;
  let proxy: S3FaultProxy;

  beforeAll(async () => {
    server = await startVersitygw({ virtualDomain: 's3.test' });
  });
  afterAll(async () => {
    await server.stop();
  });
  beforeEach(async () => {
    proxy = await startS3FaultProxy(server);
    // The server's own answer in its place would be that of path style.
    const fault = { kind: 'answer', status: 403, code: 'SecondLevelDomainForbidden' } as const;
    proxy.inject({ match: ({ host }) => !host.startsWith(`${server.bucket}.`), fault, times: 1000 });
    resolveToLoopback('s3.test');
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await proxy.stop();
  });

  const optionsOf = (): S3Options => ({
    ...proxy.options,
    endpoint: proxy.endpoint.replace('127.0.0.1', 's3.test'),
  });

  test('is asked there once it said so, for bytes too', async () => {
    const store = await openStore(`s3://${server.bucket}/auto`, { s3: optionsOf() });
    await writeAndRead(store);
    const refused = proxy.seen.filter(({ host }) => !host.startsWith(`${server.bucket}.`));
    expect(refused).toHaveLength(1);
    await store.close();
  });

  test('is asked there at once where the options say so', async () => {
    const store = await openStore(`s3://${server.bucket}/set`, { s3: { ...optionsOf(), addressingStyle: 'virtual' } });
    await writeAndRead(store);
    expect(proxy.seen.filter(({ host }) => !host.startsWith(`${server.bucket}.`))).toEqual([]);
    await store.close();
  });

  test('is asked there at once where the profile says so', async () => {
    await withProfile(['s3 =', '  addressing_style = virtual'], async () => {
      const store = await openStore(`s3://${server.bucket}/profile`, { s3: optionsOf() });
      await writeAndRead(store);
      expect(proxy.seen.filter(({ host }) => !host.startsWith(`${server.bucket}.`))).toEqual([]);
      await store.close();
    });
  });

  test('is not asked there where path style is wanted', async () => {
    const store = await openStore(`s3://${server.bucket}/path`, { s3: { ...optionsOf(), addressingStyle: 'path' } });
    await expect(store.get('a')).rejects.toThrow(/^StoreRefused: .*SecondLevelDomainForbidden/);
    expect(proxy.seen).toHaveLength(1);
    await store.close();
  });
});

test('an addressing style that is none is refused', async () => {
  await withProfile(['s3 =', '  addressing_style = sideways'], async () => {
    await expect(openStore('s3://models/x')).rejects.toThrow(/^InvalidInput: .*addressing_style/);
  });
});

async function writeAndRead(store: ObjectStore): Promise<void> {
  await store.put('a', bytes('some bytes'));
  expect(await store.get('a')).toEqual(bytes('some bytes'));
  const target = await store.readTarget('a');
  if (target.kind !== 'http') throw new Error('expected an HTTP target');
  const into = new Uint8Array(10);
  const range = { start: 0, end: 10 };
  const { signal } = new AbortController();
  await getRange({ target, range, totalSize: 10, into, signal, stallMs: 5_000, leastRate: defaultLeastRate });
  expect(into).toEqual(bytes('some bytes'));
}

/** As a DNS does that knows every host below a domain. */
function resolveToLoopback(domain: string): void {
  const { lookup } = dns;
  const known = (host: string): string => (host === domain || host.endsWith(`.${domain}`) ? '127.0.0.1' : host);
  vi.spyOn(dns, 'lookup').mockImplementation(((host: string, ...rest: [LookupOptions, () => void]) => {
    lookup(known(host), ...rest);
  }) as typeof dns.lookup);
}

/** Stores that take no bucket in the path, and what each of them says. */
const stores = [
  [403, 'SecondLevelDomainForbidden', 'Please use virtual hosted style to access.'],
  [403, 'PathStyleDomainForbidden', 'The bucket must be addressed using virtual-styled domain.'],
  [400, 'PathStyleRequestNotAllowed', ''],
  [403, 'InvalidPathAccess', 'use virtual hosted-style'],
  [400, 'InvalidRequest', 'Please use virtual hosted style to access.'],
  [403, 'AccessDenied', 'Path-style requests are not supported for this bucket.'],
] as const;

test.each(stores)('HTTP %i %s is not told as a problem of credentials', async (status, code, message) => {
  const { endpoint, stop } = await startRefusing({ status, code, message });
  const credentials = { accessKeyId: 'key', secretAccessKey: 'secret-of-a-test' };
  const s3: S3Options = { endpoint, region: 'r', credentials, addressingStyle: 'path' };
  const store = await openStore('s3://models/x', { s3 });
  for (const ask of [() => store.head('a'), () => store.checkWritable(), () => store.capabilities()]) {
    await expect(ask()).rejects.toMatchObject({
      code: 'StoreRefused',
      message: expect.stringMatching(/MODEL_PREFETCH_S3_ADDRESSING_STYLE=virtual.*credentials are not/s) as string,
    });
  }
  await store.close();
  await stop();
});
