import { describe, expect, test } from 'vitest';
import { forEachAtOnce, mapAtOnce } from '../../src/activities/for-each-at-once.js';

const NEVER = new AbortController().signal;

describe('forEachAtOnce', () => {
  test('runs every item, never more than the limit at once', async () => {
    const done: number[] = [];
    let running = 0;
    let most = 0;
    await forEachAtOnce(3, [1, 2, 3, 4, 5, 6, 7], NEVER, async (item) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running -= 1;
      done.push(item);
    });
    expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(3);
  });

  test('aborts the others at the first failure, waits for them, and throws the first', async () => {
    const ended: string[] = [];
    const work = async (item: string, signal: AbortSignal) => {
      if (item === 'bad') throw new Error('first');
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => setImmediate(resolve), { once: true });
      });
      ended.push(item);
      throw new Error('later');
    };
    await expect(forEachAtOnce(2, ['slow', 'bad', 'unseen'], NEVER, work)).rejects.toThrow('first');
    expect(ended).toEqual(['slow']);
  });

  test('throws the reason of an abort from outside', async () => {
    const controller = new AbortController();
    const running = forEachAtOnce(1, [1], controller.signal, (_item, signal) => {
      controller.abort(new Error('stop'));
      return Promise.reject(signal.aborted ? new Error('noticed') : new Error('not noticed'));
    });
    await expect(running).rejects.toThrow('stop');
  });

  test('does nothing for no items', async () => {
    await expect(forEachAtOnce(4, [], NEVER, () => Promise.reject(new Error('never')))).resolves.toBeUndefined();
  });
});

test('mapAtOnce gives the results in the order of the items, whichever ends first', async () => {
  const ended: number[] = [];
  const results = await mapAtOnce(3, [3, 1, 2], NEVER, async (turns) => {
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    ended.push(turns);
    return `item ${String(turns)}`;
  });
  expect(results).toEqual(['item 3', 'item 1', 'item 2']);
  expect(ended).toEqual([1, 2, 3]);
});
