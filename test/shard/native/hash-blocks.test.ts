import { syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';
import { expect, test } from 'vitest';
import { hashBlocks } from '../../../src/shard/native/hash-blocks.js';
import { createEngine } from '../../../src/transfer/engine.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { llama } from '../layout/configs.js';
import { planOf, randomCheckpoint } from './bytes-in-memory.js';

test('memory is given back where the thread that hashes cannot be started', async () => {
  const { Worker } = threads;
  threads.Worker = new Proxy(Worker, {
    construct: () => {
      throw new Error('no more threads');
    },
  });
  syncBuiltinESMExports();
  const { context } = createEngine({ partSizeBytes: 1024, lanes: 4, memoryBytes: 100_000 });
  const layout = planOf(randomCheckpoint({ ...llama, vocab_size: 64, hidden_size: 32, intermediate_size: 48 }), {
    ranks: 2,
  });
  const hashing = { blocksPerSlab: 1, layOut: () => undefined, work: () => Promise.resolve() };
  try {
    const options = { ...live(), onChecked: () => undefined };
    expect(await failure(hashBlocks({ context, layout, places: new Map(), file: 0 }, options, hashing))).toMatchObject({
      message: 'no more threads',
    });
    expect(context.memory.inUseBytes).toBe(0);
  } finally {
    threads.Worker = Worker;
    syncBuiltinESMExports();
  }
});
