import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { smallLlama, writeLlama } from '../helpers/big-models.js';
import { until } from '../helpers/local-server.js';
import { startS3FaultProxy, type S3FaultProxy, type SeenRequest } from '../helpers/s3-fault-proxy.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { createTmpFolder, removeFolder, storedFiles } from '../helpers/tmp.js';
import { killGroup, runCli, startCli } from './cli-process.js';

/** Upload parts of both ranks: 28 MiB each in parts of 5 MiB. */
const PARTS = 12;
const SENT_BEFORE = 5;

describeWithS3('model-prefetch shard, interrupted', () => {
  let folder: string;
  let s3: S3Server;

  beforeAll(async () => {
    folder = await createTmpFolder();
    await writeLlama(join(folder, 'model'), smallLlama);
    s3 = await startVersitygw({ folder: join(folder, 's3') });
  });

  afterAll(async () => {
    await s3.stop();
    await removeFolder(folder);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends on %s with code 130 and nothing published, and the same command sends only the parts that are missing',
    async (signal) => {
      const proxy = await startS3FaultProxy(s3);
      onTestFinished(() => proxy.stop());
      const env = { ...s3.env, AWS_ENDPOINT_URL_S3: proxy.endpoint, MODEL_PREFETCH_PART_SIZE: '5MiB' };
      const to = `s3://${s3.bucket}/${signal}`;
      const args = ['shard', join(folder, 'model'), '--to', to, '--tensor-parallel-size', '2'];
      proxy.inject({ match: allBut(SENT_BEFORE), fault: { kind: 'stall' }, times: Number.POSITIVE_INFINITY });
      const run = await startCli(args, env);
      await until(() => partsOf(proxy).length === SENT_BEFORE && isStalled(proxy), 'the parts', 60_000);
      killGroup(run.child, signal);
      const { code, stdout, stderr } = await run.ended;
      expect({ code, stdout }, stderr).toEqual({ code: 130, stdout: '' });
      expect(stderr.trim().split('\n').at(-1)).toBe(
        'Stopping. What is written is kept: the same command goes on from there'
      );
      expect(await manifests(signal)).toEqual([]);

      proxy.clear();
      const again = await runCli([...args, '--output', 'text'], env);
      expect(again).toMatchObject({ code: 0, stdout: `${to}/\n` });
      const sent = partsOf(proxy);
      expect([sent.length, new Set(sent).size]).toEqual([PARTS, PARTS]);
      expect(await manifests(signal)).toHaveLength(1);
      expect(await runCli(['verify', to, '--deep'], env)).toMatchObject({ code: 0, stderr: '' });
    },
    120_000
  );

  async function manifests(name: string): Promise<string[]> {
    const files = await storedFiles(join(folder, 's3', s3.bucket, name));
    return files.filter((path) => path.endsWith('manifest.json'));
  }
});

/** A part of a shard; the probe of what the store can do sends some of its own. */
function isPart({ method, path, query }: SeenRequest): boolean {
  return method === 'PUT' && path.endsWith('.safetensors') && query.has('partNumber');
}

/** Lets so many parts pass. */
function allBut(count: number): (request: SeenRequest) => boolean {
  let passed = 0;
  return (request) => isPart(request) && ++passed > count;
}

/** Files and numbers of the parts that the store has. */
function partsOf({ seen }: Pick<S3FaultProxy, 'seen'>): string[] {
  return seen
    .filter((request) => isPart(request) && request.status === 200)
    .map(({ path, query }) => `${path} ${query.get('partNumber') ?? ''}`);
}

function isStalled({ seen }: Pick<S3FaultProxy, 'seen'>): boolean {
  return seen.some((request) => isPart(request) && request.status === undefined);
}
