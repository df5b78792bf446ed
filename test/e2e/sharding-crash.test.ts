import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrefetchClient, prefetchWorkflowId } from '../../src/client.js';
import type { Dir, PrefetchInput } from '../../src/core/contract.js';
import { isPrefetchError } from '../../src/core/errors.js';
import { startDevHub, type DevHub } from '../../src/dev-hub/index.js';
import { smallLlama, writeLlama } from '../helpers/big-models.js';
import { runCli, startWorkerProcess, type CliRun } from '../helpers/cli.js';
import { contentOf, expectAsListed } from '../helpers/dir-content.js';
import { until } from '../helpers/local-server.js';
import { startS3FaultProxy, type S3FaultProxy, type SeenRequest } from '../helpers/s3-fault-proxy.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { temporalCli } from '../helpers/temporal-cli.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { createTmpFolder, removeFolder, storedFiles } from '../helpers/tmp.js';

const input: PrefetchInput = {
  repo: 'org/model',
  shardConfig: { engine: 'native', args: { tensorParallelSize: 2 } },
};
/** Upload parts of both ranks: 28 MiB each in parts of 5 MiB. */
const PARTS = 12;

const server = useTemporalServer();

describeWithS3('sharding that is killed or cancelled', () => {
  let folder: string;
  let s3: S3Server;
  let hub: DevHub;
  /** What an undisturbed run makes of the model. */
  let shards: ReadonlyMap<string, string>;

  beforeAll(async () => {
    folder = await createTmpFolder();
    const model = join(folder, 'model');
    await writeLlama(model, smallLlama);
    s3 = await startVersitygw({ folder: join(folder, 's3') });
    Object.assign(process.env, s3.env);
    const files = Object.fromEntries(
      ['config.json', 'tokenizer.json', 'model.safetensors'].map((path) => [path, { file: join(model, path) }])
    );
    hub = await startDevHub({ repos: [{ id: 'org/model', commits: [{ files }] }] });
    const args = ['shard', model, '--to', join(folder, 'clean'), '--tensor-parallel-size', '2', '--engine', 'native'];
    const clean = await runCli(args, {});
    expect(clean.code, clean.stderr).toBe(0);
    shards = (await contentOf({ path: pathToFileURL(join(folder, 'clean')).href })).digests;
  });

  afterAll(async () => {
    await hub.close();
    await s3.stop();
    await removeFolder(folder);
  });

  // Side by side, for each of them waits until the server believes that its worker is gone.
  describe.concurrent('a worker process that is killed', { timeout: 240_000 }, () => {
    test('while it writes shards: the next one sends only the parts that the store has not', async () => {
      const { proxy, ...site } = await openSite('writing');
      const afterFive = after(5, isPart);
      proxy.inject({ match: afterFive, fault: { kind: 'stall' }, times: Number.POSITIVE_INFINITY });
      const killed = () => stored(proxy, isPart).length === 5 && unanswered(proxy, isPart).length > 0;
      const { before, dir } = await site.killAndGoOn(killed);
      const [first, second] = [stored(before, isPart), stored(proxy, isPart).slice(5)];
      expect(second.filter((part) => first.includes(part))).toEqual([]);
      expect(new Set([...first, ...second]).size).toBe(PARTS);
      expect(second).toHaveLength(PARTS - 5);
      await expectRight(dir);
    });

    test('between the files of two ranks: the next one sends no part again', async () => {
      const { proxy, ...site } = await openSite('completing');
      const isSecond: Rule = (request) => isComplete(request) && request.path.includes('model-rank-1');
      proxy.inject({ match: isSecond, fault: { kind: 'stall' }, times: Number.POSITIVE_INFINITY });
      const isTime = () => unanswered(proxy, isSecond).length > 0 && stored(proxy, isRecord).length > 0;
      const { dir } = await site.killAndGoOn(isTime);
      expect(stored(proxy, isPart)).toHaveLength(PARTS);
      expect(stored(proxy, isComplete)).toHaveLength(2);
      await expectRight(dir);
    });

    test('while it checks: the next one checks, and writes nothing again', async () => {
      const { proxy, ...site } = await openSite('checking');
      proxy.inject({ match: after(2, isRead), fault: { kind: 'stall' }, times: Number.POSITIVE_INFINITY });
      const { dir } = await site.killAndGoOn(() => unanswered(proxy, isRead).length > 0);
      expect(stored(proxy, isPart)).toHaveLength(PARTS);
      await expectRight(dir);
    });

    test('between the manifest and the clean-up: the next one cleans up and gives what was published', async () => {
      const { proxy, ...site } = await openSite('publishing');
      const isRemoval = isRemovalOf(proxy);
      proxy.inject({ match: isRemoval, fault: { kind: 'stall' }, times: Number.POSITIVE_INFINITY });
      const { dir, left } = await site.killAndGoOn(() => unanswered(proxy, isRemoval).length > 0);
      const published = left.filter(({ path }) => path.endsWith('/manifest.json'));
      expect(published).toHaveLength(1);
      expect(left.length).toBeGreaterThan(published.length);
      const after = await site.ofPlans();
      expect(after).toEqual(published);
      await expectRight(dir);
    });
  });

  test('a run that is cancelled publishes nothing, and the next one sends only what is missing', async () => {
    const { proxy, ...site } = await openSite('cancelled');
    proxy.inject({ match: after(5, isPart), fault: { kind: 'stall' }, times: Number.POSITIVE_INFINITY });
    await site.withWorker(async () => {
      const handle = await site.client.start(input);
      await until(() => stored(proxy, isPart).length === 5 && unanswered(proxy, isPart).length > 0, 'parts', 60_000);
      const workflowId = prefetchWorkflowId(input);
      const cancelled = await temporalCli(server().address).run(['workflow', 'cancel', '--workflow-id', workflowId]);
      expect(cancelled.code, cancelled.stderr).toBe(0);
      const error = await handle.result().catch((thrown: unknown) => thrown);
      expect(isPrefetchError(error, 'Cancelled'), JSON.stringify(error)).toBe(true);
      expect((await site.ofPlans()).filter(({ path }) => path.endsWith('/manifest.json'))).toEqual([]);
      proxy.clear();
      await expectRight(await (await site.client.start(input)).result());
      const sent = stored(proxy, isPart);
      expect([sent.length, new Set(sent).size]).toEqual([PARTS, PARTS]);
    });
  });

  /** A queue, a folder of the store and a way to it of its own, and no worker yet. */
  async function openSite(name: string) {
    const proxy = await startS3FaultProxy(s3);
    const env = {
      ...s3.env,
      AWS_ENDPOINT_URL_S3: proxy.endpoint,
      TEMPORAL_ADDRESS: server().address,
      HF_ENDPOINT: hub.url,
      MODEL_PREFETCH_STORE: `s3://${s3.bucket}/${name}`,
      MODEL_PREFETCH_TASK_QUEUE: name,
      MODEL_PREFETCH_PART_SIZE: '5MiB',
    };
    const client = new PrefetchClient({ client: server().client, taskQueue: name });
    const withWorker = (work: (worker: CliRun) => Promise<void>) => runBeside(env, work);
    const ofPlans = async () => {
      const files = await storedFiles(join(folder, 's3', s3.bucket, name));
      return files
        .filter((path) => path.includes('.vllm-tp2-') && path.includes('/.prefetch/'))
        .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
    };
    const killAndGoOn = async (isTime: () => boolean) => {
      // The ID is that of the input, which all of these share.
      const workflowId = `${name} ${prefetchWorkflowId(input)}`;
      await server().client.workflow.start('prefetchModel', { workflowId, taskQueue: name, args: [input] });
      await withWorker(async (worker) => {
        await until(() => isTime() || worker.child.exitCode !== null, 'the moment to kill it', 60_000);
        expect(worker.child.exitCode, worker.stderr()).toBeNull();
        worker.killGroup();
        expect((await worker.ended).signal).toBe('SIGKILL');
      });
      const before = { seen: [...proxy.seen] };
      const left = await ofPlans();
      proxy.clear();
      let dir: Dir | undefined;
      await withWorker(async () => {
        dir = await client.get(workflowId).result();
      });
      if (dir === undefined) throw new Error('There is no Dir');
      await proxy.stop();
      return { before, left, dir };
    };
    return { proxy, client, withWorker, killAndGoOn, ofPlans };
  }

  async function expectRight(dir: Dir): Promise<void> {
    expect(dir.format).toBe('vllm-sharded-state');
    const content = await contentOf(dir);
    expectAsListed(content);
    expect(Object.fromEntries(content.digests)).toEqual(Object.fromEntries(shards));
  }
});

type Rule = (request: SeenRequest) => boolean;
type Journal = Pick<S3FaultProxy, 'seen'>;

const isShard: Rule = ({ path }) => path.includes('.vllm-tp2-') && path.endsWith('.safetensors');
const isPart: Rule = (request) => request.method === 'PUT' && isShard(request) && request.query.has('partNumber');
const isComplete: Rule = (request) => request.method === 'POST' && isShard(request) && request.query.has('uploadId');
/** What is noted of a part. */
const isRecord: Rule = ({ method, path }) => method === 'PUT' && path.endsWith('/part-0.json');
const isRead: Rule = (request) => request.method === 'GET' && isShard(request) && !request.query.has('uploadId');
const isManifest: Rule = ({ method, path }) => method === 'PUT' && /\.vllm-tp2-.*manifest\.json$/.test(path);
/** The clean-up of the shards: the one of the model itself comes before their manifest. */
const isRemovalOf =
  ({ seen }: S3FaultProxy): Rule =>
  ({ method, query }) =>
    method === 'POST' && query.has('delete') && seen.some(isManifest);

/** Lets so many of such requests pass. */
function after(count: number, rule: Rule): Rule {
  let passed = 0;
  return (request) => rule(request) && ++passed > count;
}

/** Files and parts of the requests that the store has answered well. */
function stored({ seen }: Journal, rule: Rule): string[] {
  return seen
    .filter((request) => rule(request) && request.status === 200)
    .map(({ path, query }) => `${path} ${query.get('partNumber') ?? ''}`);
}

function unanswered({ seen }: Journal, rule: Rule): readonly SeenRequest[] {
  return seen.filter((request) => rule(request) && request.status === undefined);
}

/** Runs something beside a worker process, which is ended afterwards if it still runs. */
async function runBeside(
  env: Readonly<Record<string, string>>,
  work: (worker: CliRun) => Promise<void>
): Promise<void> {
  const worker = await startWorkerProcess(env);
  try {
    await work(worker);
  } finally {
    if (worker.child.exitCode === null && worker.child.signalCode === null) worker.killGroup();
    await worker.ended;
  }
}
