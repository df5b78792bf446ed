import { expect, onTestFinished, test, vi } from 'vitest';
import { MiB } from '../../../src/core/units.js';
import { divideMemory } from '../../../src/shard/native/part-memory.js';
import { live, setUpShards } from '../../helpers/shard-setup.js';

async function setUp(options?: Parameters<typeof setUpShards>[1]) {
  const setup = await setUpShards('llama-untied', options);
  onTestFinished(() => setup.close());
  return setup;
}

test('what was read and waits to be stored fills no more memory than the windows have', async () => {
  const memoryBytes = 64 * MiB;
  const setup = await setUp({ memoryBytes, partSizeBytes: 4096 });
  const { memory, putLanes } = setup.engine.context;
  const plan = setup.plan({ ranks: 2 });
  const size = plan.parts[0]?.size ?? 0;
  const machine = { budgetBytes: memoryBytes, lanes: 4, wantedPart: 4096 };
  const divided = divideMemory(machine, { size, ranks: 2 }, await setup.store.capabilities());
  const { partSize, ranksAtOnce, windowsAtOnce, readBytes, scratchCount } = divided;
  expect(size).toBeGreaterThan(2 * partSize * windowsAtOnce);
  // Nothing is stored before all is read that there is room for.
  const giveBack = await putLanes.acquire(4, { signal: live });
  const written = setup.write(plan);
  const most = partSize * ranksAtOnce * windowsAtOnce + readBytes * scratchCount;
  await vi.waitFor(() => {
    expect(memory.inUseBytes).toBe(most);
  });
  giveBack();
  await written;
  expect(memory.peakBytes).toBe(most);
});
