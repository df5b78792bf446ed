import { expect, test } from 'vitest';
import { createDrain } from '../../src/transfer/drain.js';
import { createPermits } from '../../src/tasks/permits.js';

test('a drain waits for what was given out, and gives nothing to whoever waits or asks later', async () => {
  const drain = createDrain();
  const permits = drain.closable(createPermits(1));
  const { signal } = new AbortController();
  const release = await permits.acquire(1, { signal });
  const stopped = new AbortController();
  const waiting = permits.acquire(1, { signal: stopped.signal });
  let landed = false;
  const drained = drain.begin().then(() => (landed = true));
  const late = permits.acquire(1, { signal: stopped.signal });
  await new Promise((resolve) => setImmediate(resolve));
  expect(landed).toBe(false);
  release();
  await drained;
  expect(permits.inUse).toBe(0);
  stopped.abort(new Error('handed over'));
  await expect(waiting).rejects.toThrow('handed over');
  await expect(late).rejects.toThrow('handed over');
});

test('what was read is still written while a drain waits', async () => {
  const drain = createDrain();
  const writing = drain.watched(createPermits(1));
  const drained = drain.begin();
  const release = await writing.acquire(1, { signal: new AbortController().signal });
  release();
  await drained;
  expect(writing.inUse).toBe(0);
});
