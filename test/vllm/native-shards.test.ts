import { copyFile, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jobOfFolders } from '../../src/steps/shards/local-job.js';
import { shardInProcess } from '../../src/steps/shards/shard-in-process.js';
import { verifyDir } from '../../src/steps/verify-dir.js';
import { readSettings } from '../../src/config/environment.js';
import { createDependencies } from '../../src/worker/dependencies.js';
import { live } from '../helpers/transfer-setup.js';
import { createTmpFolder, removeFolder, tmpFolder } from '../helpers/tmp.js';
import { shardArgs } from '../shard/vllm/shard-args.js';
import { makeCheckpoints, type CheckpointName } from './checkpoints.js';
import { describeWithVllm, inFull, runScript } from './vllm-python.js';

const names: readonly CheckpointName[] = [
  'llama',
  'llama-tied',
  'llama-fp32',
  'qwen2',
  'qwen3',
  'gemma',
  'gemma2',
  'gemma3',
  'phi3',
  'mixtral',
  'qwen2-moe',
  'qwen3-moe',
];

const dependencies = createDependencies(readSettings(), { embedded: true, tool: { name: 'test', version: '0' } });

describeWithVllm('shards of the native engine', () => {
  let folder = '';
  let checkpoints: Readonly<Record<string, string>> = {};

  beforeAll(async () => {
    folder = await createTmpFolder();
    checkpoints = await makeCheckpoints(folder, names);
  }, 300_000);
  afterAll(async () => {
    await dependencies.close();
    await removeFolder(folder);
  });

  const original = (name: CheckpointName) => checkpoints[name] ?? '';

  describe.each(names)('%s', (name) => {
    test.each(inFull ? [1, 2, 4] : [2])(
      'are what real vLLM saves and loads, bit for bit, at tensor parallel %i',
      { timeout: 300_000 },
      async (ranks) => {
        const sharded = await shardNatively(original(name), { ranks, maxFileSize: 200_000 });
        const where = ['--original', original(name), '--sharded', sharded];
        const { output } = await runScript('state_oracle.py', [
          ...where,
          '--tp',
          String(ranks),
          '--max-size',
          '200000',
        ]);
        expect(output).toMatch(/^SAME/m);
      }
    );

    test.skipIf(!inFull).each([1, 2])(
      'give the tokens and logprobs of the original in the real engine, at tensor parallel %i',
      { timeout: 900_000 },
      async (ranks) => {
        const sharded = await shardNatively(original(name), { ranks });
        const { output } = await loadBoth(original(name), sharded, ranks);
        expect(output).toMatch(/^SAME/m);
      }
    );
  });

  describe.skipIf(!inFull)('that were damaged', () => {
    const damages: readonly [string, (sharded: string) => Promise<void>, number, RegExp][] = [
      ['a flipped bit', flipBit, 2, /its bytes come to/],
      [
        'a missing rank',
        async (sharded) => rm(join(sharded, 'model-rank-1-part-0.safetensors')),
        2,
        /rank 1 of 2 is missing/,
      ],
      ['another number of ranks', () => Promise.resolve(), 1, /made for tensorParallelSize 2/],
      ['a truncated part', truncate, 2, /truncated/],
      ['a part that does not belong there', addStray, 2, /is no file of this Dir/],
    ];

    test.each(damages)(
      '%s is noticed by the engine and by verify',
      { timeout: 900_000 },
      async (_what, damage, ranks, problem) => {
        const sharded = await shardNatively(original('llama'), { ranks: 2 });
        await damage(sharded);
        const store = await dependencies.openStore(`file://${sharded}/`);
        const found = await verifyDir(
          dependencies,
          { store, deep: true, tensorParallelSize: ranks },
          { ...live(), onFile: () => undefined }
        );
        expect(found.problems.join('\n')).toMatch(problem);
        const { code, output } = await loadBoth(original('llama'), sharded, ranks);
        expect(output).toMatch(/^DIFFERENT/m);
        expect(code).toBe(1);
      }
    );
  });
});

async function shardNatively(
  checkpoint: string,
  { ranks, maxFileSize = 2 ** 30 }: { readonly ranks: number; readonly maxFileSize?: number }
): Promise<string> {
  const root = await tmpFolder();
  const job = await jobOfFolders(
    {
      source: await dependencies.openStore(`file://${checkpoint}/`),
      target: { store: await dependencies.openStore(`file://${root}/`), folder: 'sharded' },
      request: { engine: 'native', args: shardArgs({ tensorParallelSize: ranks, maxFileSize }) },
    },
    live()
  );
  await shardInProcess(dependencies, job, { ...live(), onMoment: () => undefined });
  return join(root, 'sharded');
}

function loadBoth(original: string, sharded: string, ranks: number) {
  return runScript('load_oracle.py', ['--original', original, '--sharded', sharded, '--tp', String(ranks)]);
}

async function flipBit(sharded: string): Promise<void> {
  const file = await open(join(sharded, 'model-rank-1-part-0.safetensors'), 'r+');
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 301);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 0x40]), 0, 1, size - 301);
  } finally {
    await file.close();
  }
}

async function truncate(sharded: string): Promise<void> {
  const path = join(sharded, 'model-rank-0-part-0.safetensors');
  const file = await open(path, 'r+');
  await file.truncate((await file.stat()).size - 100);
  await file.close();
}

async function addStray(sharded: string): Promise<void> {
  await copyFile(join(sharded, 'model-rank-0-part-0.safetensors'), join(sharded, 'model-rank-0-part-1.safetensors'));
}
