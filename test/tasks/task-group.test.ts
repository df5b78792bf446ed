import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { runGroup, type TaskGroup } from '../../src/tasks/task-group.js';

const never = new AbortController().signal;

/** A task that ends some time after its group was aborted, with a failure of its own. */
function afterAbort(group: TaskGroup, onEnd: () => void): () => Promise<void> {
  return async () => {
    await new Promise<void>((resolve) => {
      group.signal.addEventListener('abort', () => {
        resolve();
      });
    });
    await new Promise(setImmediate);
    onEnd();
    throw new Error('later');
  };
}

test('a group ends when all tasks have, those started by tasks too', async () => {
  const ended: number[] = [];
  await runGroup(never, (group) => {
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

test('the first failure aborts the others with itself, waits for them and is thrown', async () => {
  const first = new Error('first');
  const reasons: unknown[] = [];
  const running = runGroup(undefined, (group) => {
    group.run(afterAbort(group, () => reasons.push(group.signal.reason)));
    group.run(() => Promise.reject(first));
  });
  await expect(running).rejects.toBe(first);
  expect(reasons).toEqual([first]);
});

test('a failure to start waits for what was started', async () => {
  let ended = false;
  const running = runGroup(never, (group) => {
    group.run(async () => {
      await new Promise(setImmediate);
      ended = true;
    });
    throw new Error('start');
  });
  await expect(running).rejects.toThrow('start');
  expect(ended).toBe(true);
});

test('an abort from outside is thrown with its reason, whatever failed or went well after it', async () => {
  const controller = new AbortController();
  const reason = { kind: 'no error at all' };
  let ended = 0;
  const running = runGroup(controller.signal, (group) => {
    group.run(afterAbort(group, () => ended++));
    group.run(async () => {
      controller.abort(reason);
      await new Promise(setImmediate);
      ended++;
    });
  });
  await expect(running).rejects.toBe(reason);
  expect(ended).toBe(2);
});

test('an abort from outside that comes after the first failure does not hide it', async () => {
  const controller = new AbortController();
  const running = runGroup(controller.signal, (group) => {
    group.run(
      afterAbort(group, () => {
        controller.abort(new Error('too late'));
      })
    );
    group.run(() => Promise.reject(new Error('first')));
  });
  await expect(running).rejects.toThrow('first');
});

test('a group that is aborted before it starts starts nothing, and leaves nobody listening', async () => {
  let started = false;
  const start = () => {
    started = true;
  };
  await expect(runGroup(AbortSignal.abort(new Error('before')), start)).rejects.toThrow('before');
  expect(started).toBe(false);
  const { signal } = new AbortController();
  await runGroup(signal, start);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
