import { expect, onTestFinished, test, vi } from 'vitest';
import { MiB } from '../../../src/core/units.js';
import { checkSource } from '../../../src/shard/native/check-source.js';
import { divideMemory } from '../../../src/shard/native/part-memory.js';
import type { ByteSource } from '../../../src/core/byte-source.js';
import { createEngine } from '../../../src/transfer/engine.js';
import { live, setUpShards } from '../../helpers/shard-setup.js';
import { failure, quickPolicies } from '../../helpers/transfer-setup.js';

async function setUp(options?: Parameters<typeof setUpShards>[1]) {
  const setup = await setUpShards('llama-untied', options);
  onTestFinished(() => setup.close());
  return setup;
}

test('what was read and waits to be stored fills no more memory than the windows have', async () => {
  const memoryBytes = 64 * MiB;
  const setup = await setUp({ memoryBytes, partSizeBytes: 4096 });
  const { memory, putLanes } = setup.engine.context;
  const layout = setup.layout({ ranks: 2 });
  const size = layout.parts[0]?.size ?? 0;
  const machine = { budgetBytes: memoryBytes, lanes: 4, wantedPart: 4096 };
  const divided = divideMemory(machine, { size, ranks: 2 }, await setup.store.capabilities());
  const { partSize, ranksAtOnce, windowsAtOnce, readBytes, scratchCount } = divided;
  expect(size).toBeGreaterThan(2 * partSize * windowsAtOnce);
  // Nothing is stored before all is read that there is room for.
  const release = await putLanes.acquire(4, { signal: live });
  const written = setup.write(layout);
  const most = partSize * ranksAtOnce * windowsAtOnce + readBytes * scratchCount;
  await vi.waitFor(() => {
    expect(memory.inUseBytes).toBe(most);
  });
  release();
  await written;
  expect(memory.peakBytes).toBe(most);
});

test('the files of all ranks are completed side by side', async () => {
  const setup = await setUp();
  const waiting: (() => void)[] = [];
  setup.store.faults.completing = async (complete) => {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      // The last one lets all of them go; one after the other they would wait for ever.
      if (waiting.length === 4) for (const go of waiting) go();
    });
    complete();
  };
  const written = await setup.write(setup.layout({ ranks: 4 }));
  expect(written.map(({ path }) => path)).toEqual([0, 1, 2, 3].map((rank) => `model-rank-${rank}-part-0.safetensors`));
});

test('a file that cannot be completed fails the part, and waits for the files beside it', async () => {
  const setup = await setUp();
  let running = 0;
  let calls = 0;
  setup.store.faults.completing = async (complete) => {
    const call = ++calls;
    running++;
    await new Promise(setImmediate);
    running--;
    if (call === 1) throw new Error('no');
    complete();
  };
  expect(await failure(setup.write(setup.layout({ ranks: 4 })))).toMatchObject({ message: 'no' });
  expect([running, setup.engine.memory.inUseBytes]).toEqual([0, 0]);
});

test('two weights files are checked at once, within the memory', async () => {
  const setup = await setUp({ split: 2 });
  const layout = setup.layout({ ranks: 2 });
  await setup.write(layout);
  const { context, memory } = createEngine({ partSizeBytes: 1, lanes: 4, memoryBytes: MiB, policies: quickPolicies });
  const check = (file: number, sources: readonly ByteSource[]) =>
    checkSource(
      { context, layout, file, sha256: undefined, sources, shards: setup.shards(layout) },
      { signal: live, onChecked: () => undefined }
    );
  const second: Promise<string>[] = [];
  const waits = setup.sources().map((source): ByteSource => ({
    ...source,
    read: async (...read) => {
      await Promise.all(second);
      await source.read(...read);
    },
  }));
  const first = check(0, waits);
  second.push(check(1, setup.sources()));
  await Promise.all([first, ...second]);
  expect(memory.peakBytes).toBeLessThanOrEqual(MiB);
  expect(memory.inUseBytes).toBe(0);
});
