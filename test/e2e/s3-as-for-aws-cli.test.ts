import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { startDevHub, type DevHub } from '../../src/dev-hub/index.js';
import { runCli } from '../helpers/cli.js';
import { smallRepo } from '../helpers/models.js';
import { startS3FaultProxy, type S3FaultProxy, type SeenRequest } from '../helpers/s3-fault-proxy.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { startTlsProxy, type TlsProxy } from '../helpers/tls-proxy.js';
import { tmpFolder } from '../helpers/tmp.js';

const MiB = 1024 * 1024;
const WEIGHT_BYTES = 24 * MiB;
const region = 'eu-test-1';
const always = Number.POSITIVE_INFINITY;

describeWithS3('a store with TLS of its own authority, in a region of its own', () => {
  let hub: DevHub;
  let server: S3Server;
  let faults: S3FaultProxy;
  let tls: TlsProxy;
  let home: string;

  beforeAll(async () => {
    hub = await startDevHub({ repos: [smallRepo('org/model', { weightBytes: WEIGHT_BYTES })] });
    server = await startVersitygw({ region });
  });
  afterAll(async () => {
    await server.stop();
    await hub.close();
  });
  beforeEach(async () => {
    faults = await startS3FaultProxy(server);
    tls = await startTlsProxy(faults.endpoint);
    home = await tmpFolder();
  });
  afterEach(async () => {
    await tls.stop();
    await faults.stop();
  });

  const cdnBytes = (): number =>
    hub.requests.reduce((sum, { origin, bytesSent }) => sum + (origin === 'cdn' ? bytesSent : 0), 0);
  /** The probe sends parts of a few bytes, which no gateway minds. */
  const isPart = ({ query, headers }: SeenRequest): boolean =>
    query.has('partNumber') && Number(headers['content-length']) > MiB;

  const environment = (): Record<string, string> => ({
    HOME: home,
    MODEL_PREFETCH_HOME: join(home, 'prefetch'),
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_STORE: `s3://${server.bucket}/${Date.now().toString()}`,
    AWS_ENDPOINT_URL_S3: tls.endpoint,
    AWS_ACCESS_KEY_ID: server.accessKey,
    AWS_SECRET_ACCESS_KEY: server.secretKey,
    AWS_DEFAULT_REGION: region,
    AWS_CA_BUNDLE: tls.caFile,
    AWS_EC2_METADATA_DISABLED: 'true',
  });

  test('takes a model with AWS_DEFAULT_REGION and AWS_CA_BUNDLE, though nothing may be removed there', async () => {
    const removes = ({ method, query }: SeenRequest): boolean => method === 'DELETE' || query.has('delete');
    faults.inject({ match: removes, fault: { kind: 'answer', status: 403, code: 'AccessDenied' }, times: always });
    // For a while it takes no parts either: that costs the CDN nothing.
    faults.inject({ match: isPart, fault: { kind: 'answer', status: 503, code: 'SlowDown' }, times: 8 });
    const { code, stdout, stderr } = await runCli(['hf-model', 'org/model', '--output', 'json'], environment());
    expect(code, stderr).toBe(0);
    expect((JSON.parse(stdout) as Dir).path).toContain(`s3://${server.bucket}/`);
    expect(faults.seen.filter(isPart).length).toBeGreaterThan(8);
    expect(cdnBytes()).toBeLessThan(WEIGHT_BYTES + 5 * MiB);
    // The probe asks for what is refused with 400; nothing else is asked in a wrong region.
    expect(faults.seen.filter(({ status, path }) => status === 400 && !path.includes('/probe-'))).toEqual([]);
  });

  test('ends a run at once that may send it no parts of this size', async () => {
    faults.inject({ match: isPart, fault: { kind: 'answer', status: 413, code: '' }, times: always });
    const before = cdnBytes();
    const { code, stderr } = await runCli(['hf-model', 'org/model'], environment());
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ObjectTooLarge: .*MODEL_PREFETCH_PART_SIZE/m);
    expect(cdnBytes() - before).toBeLessThan(WEIGHT_BYTES + 5 * MiB);
  });
});
