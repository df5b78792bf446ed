import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { defaultLeastRate, watchStall, type Patience } from '../../src/http/stall-watch.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watch(patience: Partial<Patience> = {}) {
  const stalls: string[] = [];
  const watched = watchStall({ stallMs: 30_000, ...patience }, (what) => stalls.push(what));
  /** Lets time pass, with so many bytes at the end of each second. */
  const pass = (seconds: number, bytesPerSecond: number): void => {
    for (let second = 0; second < seconds; second++) {
      vi.advanceTimersByTime(1000);
      if (bytesPerSecond > 0) watched.progress(bytesPerSecond);
    }
  };
  return { watched, stalls, pass };
}

test('a connection at a byte a second is cut within two windows, and the words say how little came', () => {
  const { stalls, pass } = watch();
  pass(1, 10_000_000);
  pass(119, 1);
  expect(stalls).toEqual([]);
  pass(2, 1);
  expect(stalls).toEqual([expect.stringMatching(/^\d\d bytes in 60000 ms, where 61440 are the least/)]);
});

test('an honest slow link is never cut', () => {
  const { stalls, pass } = watch();
  pass(3600, 1200);
  // Uneven, too: nothing for half a minute, then what came meanwhile.
  for (let round = 0; round < 60; round++) {
    pass(28, 0);
    pass(1, 35_000);
  }
  expect(stalls).toEqual([]);
  // 1 Mbit/s under 4 lanes and 32 small files has to be far above the limit.
  expect((defaultLeastRate.bytes / defaultLeastRate.windowMs) * 1000).toBeLessThan(125_000 / 36 / 3);
});

test('silence is no more borne than before', () => {
  const { stalls, pass } = watch();
  pass(10, 1_000_000);
  pass(29, 0);
  expect(stalls).toEqual([]);
  pass(1, 0);
  expect(stalls).toEqual(['nothing for 30000 ms']);
});

test('time in which we wait ourselves counts neither as silence nor for the rate', () => {
  const { watched, stalls, pass } = watch();
  for (let round = 0; round < 30; round++) {
    pass(1, 2000);
    watched.pause();
    pass(90, 0);
    watched.progress();
  }
  expect(stalls).toEqual([]);
  // What came before and after long waits of ours is put together, and is too little.
  for (let round = 0; round < 140 && stalls.length === 0; round++) {
    pass(1, 1);
    watched.pause();
    pass(40, 0);
    watched.progress();
  }
  expect(stalls).toEqual([expect.stringContaining(' bytes in 60000 ms')]);
});

test('nothing is told after the end', () => {
  const { watched, stalls, pass } = watch();
  watched.stop();
  pass(600, 0);
  expect(stalls).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
