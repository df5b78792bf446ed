import { expect, test } from 'vitest';
import { createSlabPool, slabPoolOf } from '../../../src/transfer/budget/slab-pool.js';
import { live } from '../../helpers/transfer-setup.js';

test('keeps memory for a model that comes later', async () => {
  const pool = createSlabPool(100, { reserve: 20 });
  const greedy = slabPoolOf(pool, { model: 'a', file: 'a' });
  await greedy.takeSlabs(4, 20, live());
  const late = new AbortController();
  const fifth = greedy.takeSlab(20, { signal: late.signal });
  await slabPoolOf(pool, { model: 'b', file: 'b' }).takeSlab(20, live());
  expect([pool.inUseBytes, greedy.inUseBytes, greedy.peakBytes]).toEqual([100, 100, 100]);
  late.abort(new Error('enough'));
  await expect(fifth).rejects.toThrow('enough');
});

test('uses memory again', async () => {
  const pool = createSlabPool(100);
  const first = await pool.takeSlab(50, live());
  const { bytes } = first;
  first.release();
  const second = await pool.takeSlab(50, live());
  expect(second.bytes.buffer).toBe(bytes.buffer);
  expect(pool.inUseBytes).toBe(50);
});

test('hands memory to one who waits for it', async () => {
  const pool = createSlabPool(100);
  const held = [await pool.takeSlab(50, live()), await pool.takeSlab(50, live())];
  const waiting = [pool.takeSlab(50, live()), pool.takeSlab(50, live())];
  for (const slab of held) slab.release();
  const taken = new Set((await Promise.all(waiting)).map(({ bytes }) => bytes.buffer));
  expect(taken).toEqual(new Set(held.map(({ bytes }) => bytes.buffer)));
});

test('refuses what never fits', async () => {
  await expect(createSlabPool(100).takeSlab(101, live())).rejects.toMatchObject({ code: 'InvalidInput' });
});
