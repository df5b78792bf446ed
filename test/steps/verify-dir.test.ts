import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import { verifyDir } from '../../src/steps/verify-dir.js';
import { lateRefusal } from '../helpers/refusal.js';
import { tmpFolder } from '../helpers/tmp.js';
import { failure, live } from '../helpers/transfer-setup.js';
import { MANIFEST, shard, shardedDir, storeOf } from './sharded-dir.js';
import { filesIn, flipBit, publishAsDir, setUpJob } from './shards/setup.js';

const onFile = () => undefined;

describe.each([false, true])('a sharded Dir that is whole (deep: %s)', (deep) => {
  test('has no problems, and is described', async () => {
    const { setup, verify } = await shardedDir();
    const { commit, totalBytes } = await setup.manifest();
    expect(await verify({ deep, tensorParallelSize: 2, dtype: 'bfloat16', vllmVersion: '0.20.1' })).toEqual({
      dir: `${pathToFileURL(setup.target).href}/`,
      repo: 'my.model',
      commit,
      format: 'vllm-sharded-state',
      files: 4,
      bytes: totalBytes,
      compared: deep ? 'bytes' : 'sizes',
      sharding: {
        engine: 'native',
        tensorParallelSize: 2,
        dtype: 'bfloat16',
        vllmVersion: NEWEST_VERIFIED_VLLM,
        vllmVersions: [
          { from: '0.14.0', to: NEWEST_VERIFIED_VLLM },
          { from: 'main-ae25628995', to: 'main-ae25628995' },
        ],
      },
      problems: [],
    });
  });
});

describe('a file', () => {
  test('that was cut, or grew, is told by its sizes', async () => {
    const { at, setup, problems } = await shardedDir();
    const size = (await filesIn(setup.target)).get(shard(1))?.length ?? 0;
    await truncate(at(shard(1)), 100_000);
    await writeFile(at('tokenizer.json'), '{"version":"1.0"} ');
    expect(await problems()).toEqual([
      `${shard(1)}: truncated: has 100000 bytes, expected ${size}`,
      'tokenizer.json: has 18 bytes, expected 17',
    ]);
  });

  test('with a flipped bit is found where every byte is read, and there only', async () => {
    for (const path of [shard(1), 'config.json']) {
      const { at, problems } = await shardedDir();
      await flipBit(at(path), -1);
      expect(await problems()).toEqual([]);
      expect(await problems({ deep: true })).toEqual([
        expect.stringMatching(`^${path}: its bytes come to sha256:[0-9a-f]{64}, expected sha256:`),
      ]);
    }
  });

  test('with a header that is none is found without reading every byte', async () => {
    for (const at of [0, 7, 8]) {
      const dir = await shardedDir();
      await flipBit(dir.at(shard(0)), at);
      expect(await dir.problems()).toEqual([expect.stringMatching(`^${shard(0)}: `)]);
    }
  });

  test('with two faults has the first of them told, in the order of the manifest', async () => {
    const { at, problems } = await shardedDir();
    await flipBit(at(shard(1)), 0);
    await flipBit(at('config.json'), 0);
    const found = await problems({ deep: true });
    expect(found.map((problem) => problem.replace(/:.*/s, ''))).toEqual(['config.json', shard(1)]);
  });
});

describe('a manifest', () => {
  test.each<[string, (path: string) => Promise<void>]>([
    ['missing', rm],
    ['cut', (path) => truncate(path, 100)],
    ['no JSON', (path) => writeFile(path, 'not found')],
    ['of another version', (path) => writeFile(path, '{"version":2}')],
  ])('that is %s says that this is no Dir', async (_what, harm) => {
    const { at, verify } = await shardedDir();
    await harm(at(MANIFEST));
    const { code, message } = await lateRefusal(verify());
    expect(code).toBe('DirNotIntact');
    expect(message).toContain('no manifest that can be read');
  });
});

describe('a Dir as the Hub has it', () => {
  async function plain() {
    const setup = await setUpJob();
    await publishAsDir(setup.source);
    const store = await storeOf(setup.source);
    const progress: { files: number; bytes: number }[] = [];
    const verify = (deep: boolean) =>
      verifyDir(setup.dependencies, { store, deep }, { ...live(), onFile: (done) => progress.push({ ...done }) });
    return { setup, verify, progress, at: (path: string) => join(setup.source, path) };
  }

  test('is verified by sizes, and by its digests', async () => {
    const { setup, verify, at } = await plain();
    const bytes = [...(await filesIn(setup.source)).values()].reduce((sum, { length }) => sum + length, 0);
    const whole = { repo: 'org/model', commit: 'c'.repeat(40), format: 'huggingface', files: 3, bytes, problems: [] };
    expect(await verify(false)).toEqual({ ...whole, dir: expect.any(String) as string, compared: 'sizes' });
    expect(await verify(true)).toMatchObject({ ...whole, compared: 'bytes' });
    await flipBit(at('model.safetensors'), -1);
    await rm(at('config.json'));
    expect((await verify(false)).problems).toEqual(['config.json: is missing']);
    expect((await verify(true)).problems).toEqual([
      'config.json: is missing',
      expect.stringMatching(/^model\.safetensors: its bytes come to/),
    ]);
  });

  test('tells how far its verification is, up to all of it', async () => {
    const { verify, progress } = await plain();
    const { files, bytes } = await verify(true);
    expect(progress).toHaveLength(3);
    expect(progress.at(-1)).toEqual({ files, bytes });
  });

  test('can be given up', async () => {
    const { setup } = await plain();
    const store = await storeOf(setup.source);
    const given = { signal: AbortSignal.abort(), onFile };
    expect(await failure(verifyDir(setup.dependencies, { store, deep: true }, given))).toMatchObject({
      name: 'AbortError',
    });
  });
});

test('an empty folder is no Dir', async () => {
  const { dependencies } = await setUpJob();
  const store = await storeOf(await tmpFolder());
  const { code } = await lateRefusal(verifyDir(dependencies, { store, deep: false }, { ...live(), onFile }));
  expect(code).toBe('DirNotIntact');
});
