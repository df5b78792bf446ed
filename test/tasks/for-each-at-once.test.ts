import { describe, expect, test } from 'vitest';
import { forEachAtOnce, mapAtOnce } from '../../src/tasks/for-each-at-once.js';

describe('forEachAtOnce', () => {
  test('works on every item, never on more than the limit at once', async () => {
    const done: number[] = [];
    let running = 0;
    let most = 0;
    await forEachAtOnce([1, 2, 3, 4, 5, 6, 7], { limit: 3 }, async (item) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running -= 1;
      done.push(item);
    });
    expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(3);
  });

  test('takes an item only when its turn comes, and closes what they come from at a failure', async () => {
    const taken: number[] = [];
    let closed = false;
    function* endless() {
      try {
        for (let item = 1; ; item++) {
          taken.push(item);
          yield item;
        }
      } finally {
        closed = true;
      }
    }
    const work = async (item: number) => {
      await new Promise(setImmediate);
      if (item === 3) throw new Error('third');
    };
    await expect(forEachAtOnce(endless(), { limit: 2 }, work)).rejects.toThrow('third');
    expect(Math.max(...taken)).toBeLessThanOrEqual(4);
    expect(closed).toBe(true);
  });

  test('throws what its items throw when they are asked for', async () => {
    function* broken() {
      yield 1;
      throw new Error('no more');
    }
    await expect(forEachAtOnce(broken(), { limit: 2 }, () => Promise.resolve())).rejects.toThrow('no more');
  });

  test('aborts the others at the first failure, waits for them, and throws the first', async () => {
    const ended: string[] = [];
    const work = async (item: string, { signal }: { readonly signal: AbortSignal }) => {
      if (item === 'bad') throw new Error('first');
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => setImmediate(resolve), { once: true });
      });
      ended.push(item);
      throw new Error('later');
    };
    await expect(forEachAtOnce(['slow', 'bad', 'unseen'], { limit: 2 }, work)).rejects.toThrow('first');
    expect(ended).toEqual(['slow']);
  });

  test('takes no more items after an abort from outside, and throws its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const seen: number[] = [];
    const running = forEachAtOnce([1, 2, 3], { limit: 1, signal: controller.signal }, (item, { signal }) => {
      seen.push(item);
      controller.abort(reason);
      return item === 1 && signal.aborted ? Promise.resolve() : Promise.reject(new Error('not noticed'));
    });
    await expect(running).rejects.toBe(reason);
    expect(seen).toEqual([1]);
  });

  test('does nothing for no items', async () => {
    await expect(forEachAtOnce([], { limit: 4 }, () => Promise.reject(new Error('never')))).resolves.toBeUndefined();
  });
});

test('mapAtOnce gives the results in the order of the items, whichever ends first', async () => {
  const ended: number[] = [];
  const results = await mapAtOnce(new Set([3, 1, 2]), { limit: 3 }, async (turns) => {
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    ended.push(turns);
    return `item ${String(turns)}`;
  });
  expect(results).toEqual(['item 3', 'item 1', 'item 2']);
  expect(ended).toEqual([1, 2, 3]);
});
