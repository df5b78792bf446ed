import { expect, test } from 'vitest';
import { createKeyLock } from '../../src/tasks/key-lock.js';

const live = () => ({ signal: new AbortController().signal });

test('a key is had by one at a time, in the order of asking, and another key at once', async () => {
  const lock = createKeyLock();
  const order: string[] = [];
  const first = await lock.acquire('x', live());
  const waiting = ['second', 'third'].map(async (name) => {
    const release = await lock.acquire('x', live());
    order.push(name);
    release();
  });
  (await lock.acquire('y', live()))();
  order.push('first ends');
  first();
  await Promise.all(waiting);
  expect(order).toEqual(['first ends', 'second', 'third']);
});

test('one that gives up its wait leaves the others in line', async () => {
  const lock = createKeyLock();
  const release = await lock.acquire('x', live());
  const abort = new AbortController();
  const leaving = lock.acquire('x', abort);
  const staying = lock.acquire('x', live());
  const reason = new Error('gone');
  abort.abort(reason);
  await expect(leaving).rejects.toBe(reason);
  release();
  (await staying)();
  (await lock.acquire('x', live()))();
});

test('a key is taken while somebody has it or waits for it, and nothing is kept of it afterwards', async () => {
  const lock = createKeyLock();
  const aborted = { signal: AbortSignal.abort(new Error('too late')) };
  await expect(lock.acquire('x', aborted)).rejects.toThrow('too late');
  expect(lock.isTaken('x')).toBe(false);
  const first = lock.acquire('x', live());
  expect(lock.isTaken('x')).toBe(true);
  const second = lock.acquire('x', live());
  (await first)();
  expect(lock.isTaken('x')).toBe(true);
  (await second)();
  expect(lock.isTaken('x')).toBe(false);
});

test('a release that comes twice takes the key from nobody', async () => {
  const lock = createKeyLock();
  const first = await lock.acquire('x', live());
  const second = lock.acquire('x', live());
  first();
  first();
  const release = await second;
  let passed = false;
  const third = lock.acquire('x', live()).then((next) => {
    passed = true;
    next();
  });
  first();
  await new Promise(setImmediate);
  expect(passed).toBe(false);
  release();
  await third;
});
