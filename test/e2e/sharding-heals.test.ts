import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { PrefetchInput } from '../../src/core/contract.js';
import { isPrefetchError } from '../../src/core/errors.js';
import { contentOf, expectAsListed, shardsDigest } from '../helpers/dir-content.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { startS3FaultProxy, type S3FaultProxy, type SeenRequest } from '../helpers/s3-fault-proxy.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { formulaCommit, measuredDigest } from '../helpers/shard-repos.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { createTmpFolder, removeFolder, storedFiles } from '../helpers/tmp.js';

const SHARD = 'model-rank-1-part-0.safetensors';

const server = useTemporalServer();

describeWithS3('what happens to shards in the store, before they are published', () => {
  let folder: string;
  let s3: S3Server;
  let proxy: S3FaultProxy;
  let platform: Platform;

  beforeAll(async () => {
    folder = await createTmpFolder();
    s3 = await startVersitygw({ folder });
    proxy = await startS3FaultProxy(s3);
    Object.assign(process.env, s3.env, { AWS_ENDPOINT_URL_S3: proxy.endpoint });
    platform = await startPlatform(server(), {
      settings: { store: `s3://${s3.bucket}/root/` },
      repos: [{ id: 'org/model', commits: [await formulaCommit('llama-untied')] }],
    });
  });

  afterEach(() => {
    proxy.clear();
  });

  afterAll(async () => {
    await platform.stop();
    await proxy.stop();
    await s3.stop();
    await removeFolder(folder);
  });

  test.each<[string, (file: string) => void]>([
    ['one flipped bit', flipBit],
    ['a file that is gone', rmSync],
    ['a file that is cut', cut],
  ])('%s between write and check heals by itself: the run writes it anew', async (name, harm) => {
    harmBefore(isCheckOf(SHARD), harm);
    const { content, planned } = await run(inputFor(name));
    expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
    expectAsListed(content);
    expect(planned).toBe(2);
  });

  test('a bit that flips again and again ends in ShardMismatch, with nothing published, until it stops', async () => {
    // Once for each time that both files are written: two flips would be none.
    let records = 0;
    const isLast = (request: SeenRequest) => isPut(/\/part-0\.json$/)(request) && ++records % 2 === 0;
    harmBefore(isLast, flipBit, Number.POSITIVE_INFINITY);
    const input = inputFor('flips for ever');
    const error = await platform.prefetch(input).catch((thrown: unknown) => thrown);
    expect(isPrefetchError(error, 'ShardMismatch'), JSON.stringify(error)).toBe(true);
    expect(String(error)).toContain(SHARD);
    expect(await shardManifests('flips for ever')).toEqual([]);
    proxy.clear();
    const content = await contentOf(await platform.prefetch(input));
    expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
  });

  test('a file that is gone between check and publication is written and checked anew', async () => {
    harmBefore(isPut(/\/check-0\.json$/), rmSync);
    const { content, planned } = await run(inputFor('gone'));
    expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
    expect(planned).toBe(2);
  });

  test('what is written anew after the check is not believed: it is checked as well', async () => {
    let isChecked = false;
    harmBefore(isPut(/\/check-0\.json$/), (file) => {
      isChecked = true;
      rmSync(file);
    });
    harmBefore((request) => isChecked && isPut(/\/part-0\.json$/)(request), flipBit);
    const error = await platform.prefetch(inputFor('believed')).catch((thrown: unknown) => thrown);
    expect(isPrefetchError(error, 'ShardMismatch'), JSON.stringify(error)).toBe(true);
    expect(await shardManifests('believed')).toEqual([]);
  });

  /** Does something to a shard on the disk of the store just before a request reaches it. */
  function harmBefore(match: (request: SeenRequest) => boolean, harm: (file: string) => void, times = 1): void {
    let file = '';
    const happens = () => {
      harm(file);
    };
    proxy.inject({
      times,
      match: (request) => {
        if (!match(request)) return false;
        file = join(folder, request.path.replace(/(\.vllm-[^/]*)\/.*$/, `$1/${SHARD}`));
        return true;
      },
      fault: { kind: 'meanwhile', happens },
    });
  }

  /** The Dir of a run, and how often the run planned its shards. */
  async function run(input: PrefetchInput) {
    const handle = await platform.client.start(input);
    const dir = await handle.result();
    const { events } = await server().client.workflow.getHandle(handle.workflowId).fetchHistory();
    const types = (events ?? []).map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name);
    return { content: await contentOf(dir), planned: types.filter((type) => type === 'planShards').length };
  }

  async function shardManifests(artifactName: string): Promise<string[]> {
    const files = await storedFiles(join(folder, s3.bucket, 'root', artifactName.replaceAll(' ', '-')));
    return files.filter((path) => path.includes('.vllm-tp') && path.endsWith('manifest.json'));
  }
});

function isCheckOf(file: string): (request: SeenRequest) => boolean {
  // An upload's parts are listed by a GET of the same path.
  return ({ method, path, query }) =>
    method === 'GET' && path.includes('.vllm-tp') && path.endsWith(file) && !query.has('uploadId');
}

function isPut(pattern: RegExp): (request: SeenRequest) => boolean {
  return ({ method, path }) => method === 'PUT' && path.includes('.vllm-tp') && pattern.test(path);
}

/** A Dir of its own for each test. */
function inputFor(name: string): PrefetchInput {
  return {
    repo: 'org/model',
    artifactName: name.replaceAll(' ', '-'),
    shardConfig: { engine: 'native', args: { tensorParallelSize: 2 } },
  };
}

function cut(file: string): void {
  truncateSync(file, 100_000);
}

/** One bit of the last byte, as a bad disk does it: the store's etag stays as it was. */
function flipBit(file: string): void {
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(file, bytes);
}
