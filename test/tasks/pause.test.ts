import { expect, test } from 'vitest';
import { createPause } from '../../src/tasks/pause.js';

const live = { signal: new AbortController().signal };

test('nobody is held up where nobody is in trouble', async () => {
  await createPause().over(live);
});

test('is over when all who began it are out of trouble', async () => {
  const pause = createPause();
  const ends = [pause.begin(), pause.begin()];
  let through = false;
  const passing = pause.over(live).then(() => (through = true));
  ends[0]?.();
  await Promise.resolve();
  expect(through).toBe(false);
  const third = pause.begin();
  ends[1]?.();
  third();
  await passing;
  expect(through).toBe(true);
});

test('holds nobody who gives up', async () => {
  const pause = createPause();
  pause.begin();
  const reason = new Error('enough');
  await expect(pause.over({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
