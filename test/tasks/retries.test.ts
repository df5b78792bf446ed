import { expect, test } from 'vitest';
import { withRetries } from '../../src/tasks/retries.js';

const HOUR_MS = 60 * 60_000;

test('what fails is tried again as long as there is a wait for it, and the last failure is thrown', async () => {
  const waits: string[] = [];
  let tries = 0;
  const trying = withRetries(
    {
      waitMs: (error, failures) => {
        waits.push(`${String(error)} ${failures}`);
        return failures === 3 ? undefined : 0;
      },
    },
    () => Promise.reject(new Error(`try ${++tries}`))
  );
  await expect(trying).rejects.toThrow('try 3');
  expect(waits).toEqual(['Error: try 1 1', 'Error: try 2 2', 'Error: try 3 3']);
});

test('what comes after failures is what the caller gets, and each wait gives way', async () => {
  let tries = 0;
  let waits = 0;
  const giveWay = async (wait: () => Promise<void>) => {
    waits++;
    await wait();
  };
  const attempt = () => (++tries < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve(tries));
  expect(await withRetries({ waitMs: () => 0, giveWay }, attempt)).toBe(3);
  expect(waits).toBe(2);
});

test('an abort ends a wait at once, with its own reason', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const giveWay = async (wait: () => Promise<void>) => {
    const waiting = wait();
    controller.abort(reason);
    await waiting;
  };
  const options = { signal: controller.signal, waitMs: () => HOUR_MS, giveWay };
  await expect(withRetries(options, () => Promise.reject(new Error('no')))).rejects.toBe(reason);
});

test('an attempt that fails after an abort is the last, and none is made after one', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let tries = 0;
  const attempt = () => {
    tries++;
    controller.abort(new Error('enough'));
    return Promise.reject(new Error('cut'));
  };
  await expect(withRetries({ signal, waitMs: () => 0 }, attempt)).rejects.toThrow('cut');
  await expect(withRetries({ signal, waitMs: () => 0 }, attempt)).rejects.toThrow('enough');
  expect(tries).toBe(1);
});
