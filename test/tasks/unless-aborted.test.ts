import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { unlessAborted } from '../../src/tasks/unless-aborted.js';

test('a promise that settles first is what comes, and nobody listens any more', async () => {
  const { signal } = new AbortController();
  expect(await unlessAborted(Promise.resolve(1), { signal })).toBe(1);
  await expect(unlessAborted(Promise.reject(new Error('no')), { signal })).rejects.toThrow('no');
  expect(await unlessAborted(Promise.resolve(2), {})).toBe(2);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('an abort is thrown with its reason, whatever the promise comes to later', async () => {
  const controller = new AbortController();
  let fail: (error: Error) => void = () => undefined;
  const late = new Promise<never>((_resolve, reject) => (fail = reject));
  const waiting = unlessAborted(late, controller);
  const reason = { kind: 'no error at all' };
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  // Vitest fails on a rejection that nobody handles.
  fail(new Error('later'));
  await new Promise(setImmediate);
});

test('an abort that was before counts more than a promise that is settled', async () => {
  const aborted = { signal: AbortSignal.abort(new Error('before')) };
  await expect(unlessAborted(Promise.resolve(1), aborted)).rejects.toThrow('before');
  await expect(unlessAborted(Promise.reject(new Error('unheard')), aborted)).rejects.toThrow('before');
});
