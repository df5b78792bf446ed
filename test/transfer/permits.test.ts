import { describe, expect, test } from 'vitest';
import { createPermits, holdOne, permitsOf, type Permits } from '../../src/transfer/permits.js';
import { createSlabPool, slabPoolOf } from '../../src/transfer/slab-pool.js';
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

describe('the shares of permits', () => {
  /** Asks in the name of a model and a file, and notes the grant. */
  function asker(permits: Permits) {
    const order: string[] = [];
    const held: { name: string; giveBack: () => void }[] = [];
    const ask = (model: string, file = model, amount = 1): void => {
      void permitsOf(permits, { model, file })
        .acquire(amount, live())
        .then((giveBack) => {
          order.push(file);
          held.push({ name: file, giveBack });
        });
    };
    const giveBackOne = async (name: string): Promise<void> => {
      const position = held.findIndex((one) => one.name === name);
      held.splice(position, 1)[0]?.giveBack();
      await new Promise(setImmediate);
    };
    return { order, ask, giveBackOne, settled: () => new Promise(setImmediate) };
  }

  test('go all to one model while it is alone, and even out when another comes', async () => {
    const { order, ask, giveBackOne, settled } = asker(createPermits(4));
    for (let asked = 0; asked < 10; asked++) ask('a');
    for (let asked = 0; asked < 10; asked++) ask('b');
    await settled();
    expect(order).toEqual(['a', 'a', 'a', 'a']);
    for (let given = 0; given < 4; given++) await giveBackOne('a');
    expect(order.slice(4)).toEqual(['b', 'b', 'a', 'a']);
  });

  test('are even among the files of a model too', async () => {
    const { order, ask, giveBackOne, settled } = asker(createPermits(2));
    for (let asked = 0; asked < 4; asked++) ask('a', 'a/1');
    ask('a', 'a/2');
    await settled();
    await giveBackOne('a/1');
    expect(order).toEqual(['a/1', 'a/1', 'a/2']);
  });

  test('leave a reserve to a model that holds nothing, however little the others give back', async () => {
    const { order, ask, giveBackOne, settled } = asker(createPermits(3, { reserve: 1 }));
    for (let asked = 0; asked < 5; asked++) ask('a');
    for (let asked = 0; asked < 2; asked++) ask('b');
    await settled();
    expect(order).toEqual(['a', 'a', 'b']);
    await giveBackOne('b');
    expect(order).toEqual(['a', 'a', 'b', 'b']);
  });

  test('pass no big request of a model that holds nothing by for small ones, and never wait for more than there is', async () => {
    const { order, ask, giveBackOne, settled } = asker(createPermits(10, { reserve: 2 }));
    for (let asked = 0; asked < 8; asked++) ask('a');
    ask('big', 'big', 10);
    for (let asked = 0; asked < 5; asked++) ask('small');
    await settled();
    for (let given = 0; given < 8; given++) await giveBackOne('a');
    expect(order.slice(8)).toEqual(['big']);
    await giveBackOne('big');
    expect(order.slice(9)).toEqual(['small', 'small', 'small', 'small', 'small']);
  });

  test('are given way while their holder only waits', async () => {
    const permits = createPermits(1);
    let resume: () => void = () => undefined;
    const waiting = holdOne(permits, live(), async (giveWay) => {
      await giveWay(() => new Promise((resolve) => (resume = resolve)));
      return permits.inUse;
    });
    await new Promise(setImmediate);
    expect(permits.inUse).toBe(0);
    const other = await permits.acquire(1, live());
    resume();
    await new Promise(setImmediate);
    other();
    expect(await waiting).toBe(1);
    expect(permits.inUse).toBe(0);
  });
});

describe('the slab pool', () => {
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
});
