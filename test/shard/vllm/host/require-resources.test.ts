import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requireResources, shortages, type Needs } from '../../../../src/shard/vllm/host/require-resources.js';
import type { VllmShardRequest } from '../../../../src/shard/vllm/job.js';
import type { Host } from '../../../../src/shard/vllm/host/host.js';
import { holdScratch } from '../../../../src/transfer/disk/scratch.js';
import { openStore } from '../../../../src/storage/index.js';
import { failure, live } from '../../../helpers/transfer-setup.js';
import { tmpFolder } from '../../../helpers/tmp.js';
import { shardArgs } from '../shard-args.js';

const GiB = 2 ** 30;
const host: Host = { cpus: 4, memoryBytes: 16 * GiB, freeDiskBytes: 100 * GiB, shmBytes: GiB };
const nothing: Needs = {
  request: { args: shardArgs() },
  keptBytes: 0,
  neededBytes: 0,
  gpus: { names: undefined, declared: undefined },
};

const lacks = (change: Partial<Needs>, there: Partial<Host> = {}) =>
  shortages({ ...nothing, ...change }, { ...host, ...there }).map(({ what, asked, there: got }) => [what, asked, got]);
const asking = (resources: Needs['request']['resources'], args = shardArgs()) => ({
  request: { args, ...(resources === undefined ? {} : { resources }) },
});

describe('a host', () => {
  test('that has what is asked lacks nothing', () => {
    expect(lacks(asking({ cpu: '4', memory: '16Gi', disk: '100Gi', shm: '1Gi' }))).toEqual([]);
    expect(lacks(asking(undefined))).toEqual([]);
  });

  test('is told everything that it lacks at once', () => {
    expect(lacks(asking({ cpu: '4500m', memory: '17Gi', disk: '101Gi', shm: '2Gi', gpu: 'A100:1' }))).toEqual([
      ['CPU cores', '4500m', '4'],
      ['memory', '17Gi', '16.0Gi'],
      ['disk', '101Gi', '100.0Gi'],
      ['shared memory (/dev/shm)', '2Gi', '1.0Gi'],
      ['GPUs', 'A100:1', 'none'],
    ]);
  });

  test('needs room for the model and its shards, whatever is asked', () => {
    expect(lacks({ neededBytes: 101 * GiB })).toEqual([['disk for the model and its shards', '101.0Gi', '100.0Gi']]);
  });

  test('is not short of the disk that an earlier attempt filled', () => {
    expect(lacks({ ...asking({ disk: '120Gi' }), keptBytes: 20 * GiB })).toEqual([]);
  });

  test('without /dev/shm has none of it', () => {
    expect(lacks(asking({ shm: '1Gi' }), { shmBytes: undefined })).toEqual([
      ['shared memory (/dev/shm)', '1Gi', '0Mi'],
    ]);
  });
});

describe('GPUs', () => {
  const names = ['NVIDIA A100-SXM4-80GB', 'NVIDIA A100-SXM4-80GB'];

  test.each([
    ['A100:2', names, undefined, true],
    ['A100:3', names, undefined, false],
    ['H100:1', names, undefined, false],
    ['2', names, undefined, true],
    // What is declared counts only where nobody can look.
    ['H100:1', names, { model: 'H100', count: 8 }, false],
    ['H100:8', undefined, { model: 'H100', count: 8 }, true],
    ['H100:1', undefined, { count: 1 }, true],
    ['A100:1', undefined, { model: 'H100', count: 8 }, false],
    ['H100:9', undefined, { model: 'H100', count: 8 }, false],
  ])('%s asked of %j, declared %j: %s', (gpu, there, declared, enough) => {
    expect(lacks({ ...asking({ gpu }), gpus: { names: there, declared } })).toHaveLength(enough ? 0 : 1);
  });

  test('are as many as ranks where the device is to be a GPU', () => {
    const request = { args: shardArgs({ tensorParallelSize: 4, device: 'gpu' }) };
    expect(lacks({ request, gpus: { names, declared: undefined } })).toEqual([['GPUs', '4', names.join(', ')]]);
  });

  test('do not matter where the device is to be the CPU', () => {
    expect(lacks(asking({ gpu: 'A100:4' }, shardArgs({ device: 'cpu' })))).toEqual([]);
  });
});

describe('before any work', () => {
  const prepare = async () => {
    const scratchFolder = await tmpFolder();
    const store = await openStore(`file://${await tmpFolder()}/`);
    const scratch = await holdScratch(scratchFolder, 'plan', live());
    const where = { store, environment: {}, scratchFolder, scratch };
    return {
      where,
      request: { planId: 'plan', dirKey: 'out/', source: { dirKey: 'in/', files: [] }, args: shardArgs() },
    };
  };

  test('a host that lacks something is refused with what is there, what is asked, and the flag', async () => {
    const { where, request } = await prepare();
    const asked = { ...request, resources: { memory: '1000Ti', cpu: '100000' } };
    const error = await failure(requireResources(asked, { ...where, files: [] }, live()));
    expect(error).toMatchObject({ code: 'InsufficientResources', permanent: false });
    expect(String(error)).toMatch(
      /CPU cores: 100000 asked, [\d.]+ there; memory: 1000Ti asked, [\d.]+Gi there\. .*ask for less \(--cpu, --mem\)/
    );
  });

  test('GPUs that only the number of ranks asks for are not asked for with a flag that sharding has not', async () => {
    const { where, request } = await prepare();
    const PATH = await tmpFolder();
    const onGpus = { ...request, args: shardArgs({ tensorParallelSize: 4, device: 'gpu' }) };
    const refusalOf = async (asked: VllmShardRequest) =>
      String(await failure(requireResources(asked, { ...where, environment: { PATH }, files: [] }, live())));
    const byRanks = await refusalOf(onGpus);
    expect(byRanks).toContain('GPUs: 4 asked, none there');
    expect(byRanks).toMatch(/--tensor-parallel-size.*device: cpu/);
    expect(byRanks).not.toContain('--gpu');
    const byResources = await refusalOf({ ...onGpus, resources: { gpu: 'A100:4' } });
    expect(byResources).toContain('ask for less (--gpu)');
    expect(byResources).not.toContain('--tensor-parallel-size');
  });

  test('a model that does not fit on the disk is refused, and so is one whose shards do not', async () => {
    const { where, request } = await prepare();
    const file = { path: 'model.safetensors', size: 2 ** 52, etag: 'x' };
    const error = await failure(requireResources(request, { ...where, files: [file] }, live()));
    expect(error).toMatchObject({ code: 'InsufficientResources' });
    expect(String(error)).toContain('MODEL_PREFETCH_SCRATCH');
    const expected = new Map([['a', [{ name: 't', dtype: 'BF16' as const, shape: [2 ** 30, 2 ** 18] }]]]);
    const shards = await failure(requireResources({ ...request, expected }, { ...where, files: [] }, live()));
    expect(String(shards)).toContain(`disk for the model and its shards: ${String(2 ** 19)}.0Gi asked`);
  });

  test('a Dir on the same disk takes no room, in a store of its own too; its shards do', async () => {
    const { where, request } = await prepare();
    const folder = await tmpFolder();
    const store = await openStore(`file://${folder}/`);
    await store.put('in/tokenizer.json', Buffer.from('{}'));
    const files = [{ path: 'tokenizer.json', size: 2 ** 52, etag: 'x' }];
    const source = { dirKey: 'in/', files, store };
    await expect(requireResources({ ...request, source }, { ...where, files }, live())).resolves.toBeUndefined();
    // The same file in a store that is elsewhere would have to be fetched.
    const elsewhere = { dirKey: 'in/', files };
    const error = await failure(requireResources({ ...request, source: elsewhere }, { ...where, files }, live()));
    expect(error).toMatchObject({ code: 'InsufficientResources' });
  });

  test('what killed processes left goes when its room is needed, and stays when it is not', async () => {
    const { where, request } = await prepare();
    const left = join(where.scratchFolder, 'shard-of-a-killed-process');
    await mkdir(left);
    await requireResources(request, { ...where, files: [] }, live());
    await access(left);
    const file = { path: 'model.safetensors', size: 2 ** 52, etag: 'x' };
    await failure(requireResources(request, { ...where, files: [file] }, live()));
    await expect(access(left)).rejects.toThrow('ENOENT');
  });

  test('a host that has enough is let through', async () => {
    const { where, request } = await prepare();
    await expect(requireResources(request, { ...where, files: [] }, live())).resolves.toBeUndefined();
  });
});
