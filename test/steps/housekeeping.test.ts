import { createHash, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { PrefetchSpec } from '../../src/core/contract.js';
import { MiB } from '../../src/core/units.js';
import type { Hub } from '../../src/hub/hub.js';
import type { ObjectStore } from '../../src/storage/object-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { planPrefetch } from '../../src/steps/plan-prefetch.js';
import { publishDir } from '../../src/steps/publish-dir.js';
import { transferBatch, type MoveFile } from '../../src/steps/transfer-batch.js';
import { createEngine } from '../../src/transfer/engine.js';
import { startS3FaultProxy, type S3Fault, type S3FaultProxy, type SeenRequest } from '../helpers/s3-fault-proxy.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { modelSpec } from '../helpers/spec.js';
import { serveSource, type TestSource } from '../helpers/test-source.js';
import { bytesOf, quickPolicies } from '../helpers/transfer-setup.js';

const weights = bytesOf(6 * MiB);
const config = Buffer.from('{}');
const always = Number.POSITIVE_INFINITY;
const { signal } = new AbortController();

describeWithS3('a store in which nothing may be removed', () => {
  let server: S3Server;
  let proxy: S3FaultProxy;
  let store: ObjectStore;
  let source: TestSource;
  let spec: PrefetchSpec;
  let warnings: string[];

  beforeAll(async () => {
    server = await startVersitygw();
    source = await serveSource(weights);
  });
  afterAll(async () => {
    await source.close();
    await server.stop();
  });
  beforeEach(async () => {
    vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
    proxy = await startS3FaultProxy(server);
    warnings = [];
    store = await openStore(`s3://${server.bucket}/${randomUUID()}`, { s3: proxy.options });
    spec = modelSpec(store.root);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await store.close();
    await proxy.stop();
  });

  const removes = ({ method, query }: SeenRequest): boolean => method === 'DELETE' || query.has('delete');
  const listsUploads = ({ method, query }: SeenRequest): boolean => method === 'GET' && query.has('uploads');
  const answers: readonly (readonly [string, S3Fault])[] = [
    ['AccessDenied', { kind: 'answer', status: 403, code: 'AccessDenied' }],
    ['an object lock', { kind: 'answer', status: 400, code: 'ObjectLocked' }],
    ['InternalError', { kind: 'answer', status: 500, code: 'InternalError' }],
    ['a reset', { kind: 'reset' }],
  ];

  test.each(answers)('holds a Dir all the same where it answers with %s, and it is told', async (_name, fault) => {
    proxy.inject({ match: removes, fault, times: always });
    expect(await run()).toMatchObject({ fileCount: 2 });
    expect(warnings.join('\n')).toMatch(/could not be removed, which does no harm: \w+: Could not/);
    expect(warnings).toHaveLength(1);
    // What was left is no reason to fail for the next run either, which tries to remove it again.
    warnings = [];
    expect((await plan()).kind).toBe('hit');
    expect(warnings.length).toBeGreaterThan(0);
    proxy.clear();
    warnings = [];
    expect((await plan()).kind).toBe('hit');
    expect(warnings).toEqual([]);
    const left: string[] = [];
    for await (const { key } of store.list(`${spec.dirKey}.prefetch/`)) left.push(key);
    expect(left).toEqual([`${spec.dirKey}.prefetch/manifest.json`]);
  });

  test('goes on with an upload without seeing it, where uploads may not be listed', async () => {
    await store.createUpload(`${spec.dirKey}model.safetensors`, { size: weights.length, partSize: 5 * MiB });
    const fault = { kind: 'answer', status: 403, code: 'AccessDenied' } as const;
    proxy.inject({ match: (request) => removes(request) || listsUploads(request), fault, times: always });
    expect(await run()).toMatchObject({ fileCount: 2 });
  });

  const needs = () => {
    const engine = createEngine({
      partSizeBytes: 5 * MiB,
      lanes: 2,
      memoryBytes: 40 * MiB,
      policies: quickPolicies,
    });
    return {
      hub: hubOf(source),
      engine,
      openStore: () => Promise.resolve(store),
      readToken: () => Promise.resolve(undefined),
      transferMode: 'stream' as const,
      tool: { name: 'test', version: '0' },
      warn: (text: string) => warnings.push(text),
    };
  };

  const plan = () => planPrefetch(needs(), spec, { signal });

  /** A whole run. */
  async function run() {
    const outcome = await plan();
    if (outcome.kind === 'hit') return outcome.dir;
    const { planId, batchCount } = outcome.plan;
    const { engine, ...rest } = needs();
    const moveFile: MoveFile = (file, options) => engine.transferFile(file, options);
    const moving = { ...rest, engine, moveFile };
    for (let batch = 0; batch < batchCount; batch++) {
      await transferBatch(moving, { spec, planId, batch }, { signal, onProgress: () => undefined });
    }
    return publishDir(rest, spec, outcome.plan, { signal, now: new Date() });
  }
});

function hubOf(source: TestSource): Hub {
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const entry = (path: string, bytes: Uint8Array) =>
    ({ path, size: bytes.length, digest: { algorithm: 'sha256', hex: sha256(bytes) } }) as const;
  return {
    endpoint: 'http://127.0.0.1',
    whoAmI: () => Promise.reject(new Error('not asked')),
    resolveRevision: () => Promise.reject(new Error('not asked')),
    checkAccess: () => Promise.reject(new Error('not asked')),
    async *listFiles() {
      await Promise.resolve();
      yield entry('config.json', config);
      yield entry('model.safetensors', weights);
    },
    describe: () => Promise.reject(new Error('the listing says all')),
    locate: () => source.locate({ signal }),
    read: () => Promise.resolve(config),
  };
}
