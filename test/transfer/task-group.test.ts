import { expect, test } from 'vitest';
import { runGroup } from '../../src/transfer/task-group.js';
import { createOrderedHash } from '../../src/transfer/ordered-hash.js';
import { createThreadHash } from '../../src/transfer/hash-thread.js';
import { sharedBuffer } from '../../src/transfer/worker-thread.js';
import { sha256Of } from '../helpers/test-source.js';
import { bytesOf, live } from '../helpers/transfer-setup.js';

test('a group ends when all tasks have, those started by tasks too', async () => {
  const ended: number[] = [];
  await runGroup(live().signal, (group) => {
    group.run(async () => {
      await new Promise(setImmediate);
      group.run(async () => {
        await new Promise(setImmediate);
        ended.push(2);
      });
      ended.push(1);
    });
  });
  expect(ended).toEqual([1, 2]);
});

test('the first failure aborts the others, waits for them and is thrown', async () => {
  let ended = false;
  const running = runGroup(live().signal, (group) => {
    group.run(async () => {
      await new Promise<void>((resolve) => {
        group.signal.addEventListener('abort', () => {
          resolve();
        });
      });
      await new Promise(setImmediate);
      ended = true;
      throw new Error('second');
    });
    group.run(() => Promise.reject(new Error('first')));
  });
  await expect(running).rejects.toThrow('first');
  expect(ended).toBe(true);
});

test('a failure to start waits for what was started', async () => {
  let ended = false;
  const running = runGroup(live().signal, (group) => {
    group.run(async () => {
      await new Promise(setImmediate);
      ended = true;
    });
    throw new Error('start');
  });
  await expect(running).rejects.toThrow('start');
  expect(ended).toBe(true);
});

test('parts are hashed in file order, whatever order they come in', async () => {
  const bytes = sharedBuffer(6_000_000);
  bytes.set(bytesOf(bytes.length));
  const { signal } = live();
  const hash = createOrderedHash(createThreadHash('sha256', bytes.length), { signal });
  const part = (number: number) => hash.add(number, bytes.subarray((number - 1) * 1_500_000, number * 1_500_000));
  await Promise.all([part(3), part(1), part(4), part(2)]);
  expect(await hash.hex()).toBe(sha256Of(bytes).hex);
});

test('a part that waits for one before it gives up on abort', async () => {
  const abort = new AbortController();
  const hash = createOrderedHash(createThreadHash('sha256', 10), abort);
  const waiting = hash.add(2, bytesOf(5));
  abort.abort(new Error('no'));
  await expect(waiting).rejects.toThrow('no');
});
