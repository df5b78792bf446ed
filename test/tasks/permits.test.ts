import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createPermits, holdOne, permitsOf, type Permits, type Release } from '../../src/tasks/permits.js';

const live = () => ({ signal: new AbortController().signal });

describe('permits', () => {
  test('are given in the order of asking, a large request not passed by small ones', async () => {
    const permits = createPermits(10);
    const first = await permits.acquire(8, live());
    const order: string[] = [];
    const large = permits.acquire(5, live()).then((release) => {
      order.push('large');
      return release;
    });
    const small = permits.acquire(1, live()).then((release) => {
      order.push('small');
      return release;
    });
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    first();
    const releases = [await large, await small];
    expect(order).toEqual(['large', 'small']);
    expect(permits.inUse).toBe(6);
    // Twice releases once.
    for (const release of [...releases, ...releases]) release();
    expect(permits.inUse).toBe(0);
    expect(permits.peak).toBe(8);
  });

  test('one that gives up lets those behind it go', async () => {
    const permits = createPermits(10);
    await permits.acquire(8, live());
    const abort = new AbortController();
    const large = permits.acquire(5, abort);
    const small = permits.acquire(2, live());
    const reason = new Error('no');
    abort.abort(reason);
    await expect(large).rejects.toBe(reason);
    await small;
    expect(permits.inUse).toBe(10);
  });

  test('one that gives up holds nothing, and gets nothing that is released later', async () => {
    const permits = createPermits(2);
    const [first, second] = await permits.acquireTogether(2, 1, live());
    const abort = new AbortController();
    const waiting = [permits.acquire(1, abort), permits.acquireTogether(2, 1, abort)];
    const reason = { kind: 'no error at all' };
    abort.abort(reason);
    for (const one of waiting) await expect(one).rejects.toBe(reason);
    await expect(permits.acquire(1, abort)).rejects.toBe(reason);
    first?.();
    second?.();
    expect(permits.inUse).toBe(0);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  test('that were had before an abort are held until they are released', async () => {
    const permits = createPermits(1);
    const abort = new AbortController();
    const release = await permits.acquire(1, abort);
    abort.abort(new Error('later'));
    expect(permits.inUse).toBe(1);
    release();
    expect(permits.inUse).toBe(0);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  test('are had together or not at all', async () => {
    const permits = createPermits(3);
    const release = await permits.acquire(1, live());
    let had = 0;
    const together = permits.acquireTogether(3, 1, live()).then((releases) => {
      had = releases.length;
      return releases;
    });
    await new Promise(setImmediate);
    expect([had, permits.inUse]).toEqual([0, 1]);
    release();
    const releases = await together;
    releases[1]?.();
    expect([had, permits.inUse]).toEqual([3, 2]);
  });
});

describe('permits whose number changes', () => {
  /** Asks one after the other, and notes who has got some. */
  function asking(permits: Permits, amounts: readonly number[]) {
    const releases: Release[] = [];
    const order: number[] = [];
    for (const amount of amounts) {
      void permits.acquire(amount, live()).then((release) => {
        order.push(amount);
        releases.push(release);
      });
    }
    return { releases, order };
  }

  test('serve those who wait as soon as there are more, in the order of asking', async () => {
    const permits = createPermits(1);
    const { order } = asking(permits, [1, 3, 2, 4]);
    await new Promise(setImmediate);
    expect(order).toEqual([1]);
    permits.resize(6);
    await new Promise(setImmediate);
    expect(order).toEqual([1, 3, 2]);
    expect(permits.inUse).toBe(6);
  });

  test('take nothing from anybody when there are fewer, and serve nobody until enough is released', async () => {
    const permits = createPermits(4);
    const { releases, order } = asking(permits, [1, 1, 1, 1, 1, 1]);
    await new Promise(setImmediate);
    permits.resize(2);
    expect(permits.inUse).toBe(4);
    releases[0]?.();
    releases[1]?.();
    await new Promise(setImmediate);
    expect([order.length, permits.inUse]).toEqual([4, 2]);
    releases[2]?.();
    await new Promise(setImmediate);
    expect([order.length, permits.inUse]).toEqual([5, 2]);
    permits.resize(3);
    await new Promise(setImmediate);
    expect([order.length, permits.inUse]).toEqual([6, 3]);
  });

  test('let one who waits for more than there is by now have its turn alone', async () => {
    const permits = createPermits(10);
    const { releases, order } = asking(permits, [2, 9, 1]);
    await new Promise(setImmediate);
    permits.resize(4);
    await new Promise(setImmediate);
    expect(order).toEqual([2]);
    releases[0]?.();
    await new Promise(setImmediate);
    expect(order).toEqual([2, 9]);
    releases[1]?.();
    await new Promise(setImmediate);
    expect(order).toEqual([2, 9, 1]);
  });

  test('forget one who gives up while there are too few', async () => {
    const permits = createPermits(2);
    const abort = new AbortController();
    const release = await permits.acquire(2, live());
    const leaving = permits.acquire(2, abort);
    permits.resize(1);
    abort.abort(new Error('gone'));
    await expect(leaving).rejects.toThrow('gone');
    release();
    permits.resize(2);
    expect(permits.inUse).toBe(0);
  });

  test('keep the shares of models, and what is reserved for one that holds nothing', async () => {
    const permits = createPermits(5, { reserve: 1 });
    const a = asking(permitsOf(permits, { model: 'a', file: 'a' }), [1, 1, 1, 1, 1, 1]);
    await new Promise(setImmediate);
    expect(a.order).toHaveLength(4);
    permits.resize(3);
    const b = asking(permitsOf(permits, { model: 'b', file: 'b' }), [1, 1]);
    for (const release of a.releases.splice(0)) release();
    await new Promise(setImmediate);
    expect([a.order.length, b.order.length, permits.inUse]).toEqual([5, 1, 2]);
    permits.resize(5);
    await new Promise(setImmediate);
    expect([a.order.length, b.order.length, permits.inUse]).toEqual([6, 2, 4]);
  });
});

describe('the shares of permits', () => {
  /** Asks in the name of a model and a file, and notes the grant. */
  function asker(permits: Permits) {
    const order: string[] = [];
    const held: { name: string; release: Release }[] = [];
    const ask = (model: string, file = model, amount = 1): void => {
      void permitsOf(permits, { model, file })
        .acquire(amount, live())
        .then((release) => {
          order.push(file);
          held.push({ name: file, release });
        });
    };
    const releaseOne = async (name: string): Promise<void> => {
      const position = held.findIndex((one) => one.name === name);
      held.splice(position, 1)[0]?.release();
      await new Promise(setImmediate);
    };
    return { order, ask, releaseOne, settled: () => new Promise(setImmediate) };
  }

  test('go all to one model while it is alone, and even out when another comes', async () => {
    const { order, ask, releaseOne, settled } = asker(createPermits(4));
    for (let asked = 0; asked < 10; asked++) ask('a');
    for (let asked = 0; asked < 10; asked++) ask('b');
    await settled();
    expect(order).toEqual(['a', 'a', 'a', 'a']);
    for (let given = 0; given < 4; given++) await releaseOne('a');
    expect(order.slice(4)).toEqual(['b', 'b', 'a', 'a']);
  });

  test('are even among the files of a model too', async () => {
    const { order, ask, releaseOne, settled } = asker(createPermits(2));
    for (let asked = 0; asked < 4; asked++) ask('a', 'a/1');
    ask('a', 'a/2');
    await settled();
    await releaseOne('a/1');
    expect(order).toEqual(['a/1', 'a/1', 'a/2']);
  });

  test('leave a reserve to a model that holds nothing, however little the others release', async () => {
    const { order, ask, releaseOne, settled } = asker(createPermits(3, { reserve: 1 }));
    for (let asked = 0; asked < 5; asked++) ask('a');
    for (let asked = 0; asked < 2; asked++) ask('b');
    await settled();
    expect(order).toEqual(['a', 'a', 'b']);
    await releaseOne('b');
    expect(order).toEqual(['a', 'a', 'b', 'b']);
  });

  test('pass no big request of a model that holds nothing by for small ones, and never wait for more than there is', async () => {
    const { order, ask, releaseOne, settled } = asker(createPermits(10, { reserve: 2 }));
    for (let asked = 0; asked < 8; asked++) ask('a');
    ask('big', 'big', 10);
    for (let asked = 0; asked < 5; asked++) ask('small');
    await settled();
    for (let given = 0; given < 8; given++) await releaseOne('a');
    expect(order.slice(8)).toEqual(['big']);
    await releaseOne('big');
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

  test('are not held by one that gave way and may not come back', async () => {
    const permits = createPermits(1);
    const abort = new AbortController();
    const holding = holdOne(permits, abort, (giveWay) =>
      giveWay(() => {
        abort.abort(new Error('enough'));
        return Promise.resolve();
      })
    );
    await expect(holding).rejects.toThrow('enough');
    expect(permits.inUse).toBe(0);
  });
});
