import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTensors } from '../../src/shard/vllm/output/read-tensors.js';
import { runVllmJob } from '../../src/shard/vllm/run-job.js';
import { live } from '../helpers/transfer-setup.js';
import { createTmpFolder, removeFolder, tmpFolder } from '../helpers/tmp.js';
import { makeCheckpoints } from './checkpoints.js';
import { completeShards, openFolder, prepareDir } from './setup.js';
import { describeWithVllmInFull, runScript } from './vllm-python.js';

const file = (rank: number) => `model-rank-${rank}-part-0.safetensors`;

describeWithVllmInFull('the oracles notice', () => {
  let folder = '';
  let original = '';
  let sharded = '';

  beforeAll(async () => {
    folder = await createTmpFolder();
    original = (await makeCheckpoints(folder, ['llama'])).llama;
    const prepared = await prepareDir(original, {
      store: await openFolder(folder),
      scratchFolder: join(folder, 'scratch'),
    });
    await runVllmJob(prepared.request, prepared.dependencies, live());
    sharded = await completeShards(folder);
  }, 300_000);
  afterAll(() => removeFolder(folder));

  /** The shards, with something wrong about them. */
  async function damaged(damage: (shards: string) => Promise<void>): Promise<string> {
    const shards = join(await tmpFolder(), 'shards');
    await cp(sharded, shards, { recursive: true });
    await damage(shards);
    return shards;
  }

  /** The lowest bit of one number in the middle of a tensor. */
  async function flipBit(shards: string, name: string): Promise<void> {
    const path = join(shards, file(1));
    const bytes = await readFile(path);
    const tensors = await readTensors(path);
    const dataStart = bytes.length - Math.max(...tensors.map(({ end }) => end));
    const { begin = 0, end = 0 } = tensors.find((tensor) => tensor.name === name) ?? {};
    const position = dataStart + begin + 2 * Math.floor((end - begin) / 4);
    bytes[position] = (bytes[position] ?? 0) ^ 1;
    await writeFile(path, bytes);
  }

  const ask = (oracle: string, shards: string, ranks = 2) =>
    runScript(oracle, ['--original', original, '--sharded', shards, '--tp', String(ranks)]);
  const projection = 'model.layers.0.mlp.down_proj.weight';

  describe('without an engine,', () => {
    test.each([
      ['one bit', (shards: string) => flipBit(shards, projection), `rank 1: ${projection} is different`],
      ['a file that is missing', (shards: string) => rm(join(shards, file(1))), `${file(1)} is not there`],
      [
        'a file that is too much',
        (shards: string) => cp(join(shards, file(1)), join(shards, file(2))),
        `${file(2)} is too much`,
      ],
      [
        'a file that was cut',
        (shards: string) => truncate(join(shards, file(0)), 50_000),
        'rank 0: vLLM does not load the shards',
      ],
    ])('%s', { timeout: 120_000 }, async (_what, damage, words) => {
      const { code, output } = await ask('state_oracle.py', await damaged(damage));
      expect(output).toContain(words);
      expect(code).toBe(1);
    });

    test('another number of ranks', { timeout: 120_000 }, async () => {
      const { code, output } = await ask('state_oracle.py', sharded, 1);
      expect(output).toContain('DIFFERENT');
      expect(code).toBe(1);
    });

    test('that they learn nothing from an original that does not load', { timeout: 120_000 }, async () => {
      const broken = join(await tmpFolder(), 'broken');
      await cp(original, broken, { recursive: true });
      await truncate(join(broken, 'model.safetensors'), 1000);
      const { code, output } = await runScript('state_oracle.py', [
        '--original',
        broken,
        '--sharded',
        sharded,
        '--tp',
        '2',
      ]);
      expect(output).toContain('UNKNOWN');
      expect(code).toBe(2);
    });
  });

  describe('with engines,', () => {
    test('one bit', { timeout: 900_000 }, async () => {
      const shards = await damaged((at) => flipBit(at, projection));
      const { code, output } = await ask('load_oracle.py', shards);
      expect(output).toContain('DIFFERENT');
      expect(code).toBe(1);
    });

    test('shards that do not load', { timeout: 900_000 }, async () => {
      const { code, output } = await ask('load_oracle.py', await damaged((at) => rm(join(at, file(1)))));
      expect(output).toContain('vLLM does not run the shards');
      expect(code).toBe(1);
    });

    test('that there is nothing to load', { timeout: 60_000 }, async () => {
      const { code } = await ask('load_oracle.py', join(await tmpFolder(), 'nowhere'));
      expect(code).toBe(2);
    });
  });
});
