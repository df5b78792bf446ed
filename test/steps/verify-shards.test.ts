import { rename, rm, writeFile } from 'node:fs/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startMemoryStore } from '../helpers/memory-store.js';
import { MANIFEST, shard, shardedDir } from './sharded-dir.js';
import { filesIn, putFile } from './shards/setup.js';

describe('what vLLM is to be started with', () => {
  test('must be the number of ranks, the data type and a release that the shards were made for', async () => {
    const { problems } = await shardedDir();
    expect(await problems({ tensorParallelSize: 4 })).toEqual([
      expect.stringMatching(/^made for tensorParallelSize 2, .* with 4/),
    ]);
    expect(await problems({ dtype: 'float16' })).toEqual([expect.stringMatching(/weights are bfloat16, .* float16/)]);
    expect(await problems({ vllmVersion: '0.13.0' })).toEqual([
      expect.stringMatching(/made for vLLM 0\.14\.0 to 0\.32\.0, main-ae25628995; 0\.13\.0/),
    ]);
    expect(await problems({ dtype: 'auto', vllmVersion: 'main-ae25628995' })).toEqual([]);
  });
});

describe('a rank', () => {
  const change = { args: { maxFileSize: 100_000 } };

  test('of which no file is there is named, and each of its files', async () => {
    const { at, problems } = await shardedDir(change);
    for (const part of [0, 1, 2]) await rm(at(shard(1, part)));
    expect(await problems()).toEqual([
      'rank 1 of 2 is missing: none of its 3 files is there',
      ...[0, 1, 2].map((part) => `${shard(1, part)}: is missing`),
    ]);
  });

  test('of which one part is missing has that one named', async () => {
    const { at, problems } = await shardedDir(change);
    await rm(at(shard(0, 1)));
    expect(await problems()).toEqual([`${shard(0, 1)}: is missing`]);
  });

  test('whose files have the names of another number of ranks is missing', async () => {
    const { at, problems } = await shardedDir();
    await rename(at(shard(1)), at(shard(3)));
    expect(await problems()).toEqual([
      'rank 1 of 2 is missing: none of its 1 files is there',
      `${shard(3)}: is no file of this Dir, and vLLM would load it too`,
      `${shard(1)}: is missing`,
    ]);
  });
});

describe('a file more', () => {
  const strays = [
    'model-rank-0-part-1.safetensors',
    'model-rank-1-part-old.safetensors',
    'model-rank-0-part-.safetensors',
  ];

  test.each(strays)('%s is one that vLLM would load', async (path) => {
    const { at, problems } = await shardedDir();
    await writeFile(at(path), 'x');
    expect(await problems()).toEqual([`${path}: is no file of this Dir, and vLLM would load it too`]);
  });

  test('in a folder, or with more before its name, is one that vLLM would load from S3', async () => {
    const { setup, problems } = await shardedDir();
    const memory = await startMemoryStore();
    onTestFinished(() => memory.close());
    for (const [path, bytes] of await filesIn(setup.target)) await memory.put(path, bytes);
    await memory.put(MANIFEST, (await setup.store.get(`shards/${MANIFEST}`)) ?? Buffer.alloc(0));
    expect(await problems({ store: memory, deep: true })).toEqual([]);
    for (const path of ['notes.txt', `old/${shard(0)}`, `old-${shard(1)}`]) await memory.put(path, Buffer.from('x'));
    expect(await problems({ store: memory })).toEqual([
      `old-${shard(1)}: is no file of this Dir, and vLLM would load it too`,
      `old/${shard(0)}: is no file of this Dir, and vLLM would load it too`,
    ]);
  });
});

describe('a sharded Dir', () => {
  test('may have other files beside it that vLLM does not load', async () => {
    const { at, setup, problems } = await shardedDir();
    for (const path of ['notes.txt', 'old/model-rank-0-part-0.safetensors', 'model.safetensors']) {
      await putFile(setup.target, path, 'x');
    }
    await writeFile(at('.prefetch/left.json'), '{}');
    expect(await problems({ deep: true })).toEqual([]);
  });

  test('may have a file pattern of its own', async () => {
    const { at, problems } = await shardedDir({ args: { filePattern: '{part}.of+({rank}).{part}.safetensors' } });
    expect(await problems({ deep: true })).toEqual([]);
    await writeFile(at('7.of+(0).7.safetensors'), 'x');
    await rm(at('0.of+(1).0.safetensors'));
    expect(await problems({ deep: true })).toEqual([
      'rank 1 of 2 is missing: none of its 1 files is there',
      '7.of+(0).7.safetensors: is no file of this Dir, and vLLM would load it too',
      '0.of+(1).0.safetensors: is missing',
    ]);
  });
});
