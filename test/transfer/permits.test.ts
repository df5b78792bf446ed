import { describe, expect, test } from 'vitest';
import { createPermits } from '../../src/transfer/permits.js';
import { createSlabPool } from '../../src/transfer/slab-pool.js';
import { live } from '../helpers/transfer-setup.js';

describe('permits', () => {
  test('are given in the order of asking, a large request not passed by small ones', async () => {
    const permits = createPermits(10);
    const first = await permits.acquire(8, live());
    const order: string[] = [];
    const large = permits.acquire(5, live()).then((giveBack) => {
      order.push('large');
      return giveBack;
    });
    const small = permits.acquire(1, live()).then((giveBack) => {
      order.push('small');
      return giveBack;
    });
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    first();
    const giveBacks = [await large, await small];
    expect(order).toEqual(['large', 'small']);
    expect(permits.inUse).toBe(6);
    // Twice gives back once.
    for (const giveBack of [...giveBacks, ...giveBacks]) giveBack();
    expect(permits.inUse).toBe(0);
    expect(permits.peak).toBe(8);
  });

  test('one that gives up lets those behind it go', async () => {
    const permits = createPermits(10);
    await permits.acquire(8, live());
    const abort = new AbortController();
    const large = permits.acquire(5, { signal: abort.signal });
    const small = permits.acquire(2, live());
    abort.abort(new Error('no'));
    await expect(large).rejects.toThrow('no');
    await small;
    expect(permits.inUse).toBe(10);
  });
});

describe('the slab pool', () => {
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
});
