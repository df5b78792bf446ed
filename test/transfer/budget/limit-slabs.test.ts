import { expect, test } from 'vitest';
import { limitSlabs } from '../../../src/transfer/budget/limit-slabs.js';
import { createSlabPool } from '../../../src/transfer/budget/slab-pool.js';
import { live } from '../../helpers/transfer-setup.js';

test('no more slabs than the limit are out, whatever the pool has', async () => {
  const pool = createSlabPool(1000);
  const slabs = limitSlabs(pool, 3);
  const first = await slabs.take(2, 10, live());
  let taken = false;
  const second = slabs.take(2, 10, live()).then((got) => {
    taken = true;
    return got;
  });
  await new Promise(setImmediate);
  expect([taken, pool.inUseBytes]).toEqual([false, 20]);
  first[0]?.release();
  expect((await second).length).toBe(2);
  expect(pool.inUseBytes).toBe(30);
  for (const slab of [...first, ...(await second)]) slab.release();
  expect(pool.inUseBytes).toBe(0);
});

test('a slab that is released twice makes room once', async () => {
  const slabs = limitSlabs(createSlabPool(1000), 2);
  const [slab] = await slabs.take(1, 10, live());
  await slabs.take(1, 10, live());
  slab?.release();
  slab?.release();
  await slabs.take(1, 10, live());
  const abort = new AbortController();
  const third = slabs.take(1, 10, { signal: abort.signal });
  abort.abort(new Error('no room'));
  await expect(third).rejects.toThrow('no room');
});

test('who gets no memory from the pool leaves the room to others', async () => {
  const slabs = limitSlabs(createSlabPool(100), 1);
  await expect(slabs.take(1, 101, live())).rejects.toThrow('MODEL_PREFETCH_MEMORY');
  expect((await slabs.take(1, 100, live())).length).toBe(1);
});
