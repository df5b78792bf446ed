import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { shutdownWhenIdle } from '../../src/worker/shutdown-when-idle.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('shuts down workers that never got a task, and looks at them no more', () => {
  const workers = fakeWorkers();
  shutdownWhenIdle(workers, 5000);
  vi.advanceTimersByTime(4999);
  expect(workers.shutdowns).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(workers.shutdowns).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('leaves workers alone while a task runs, and counts anew from its end', () => {
  const workers = fakeWorkers();
  shutdownWhenIdle(workers, 5000);
  vi.advanceTimersByTime(4000);
  workers.idle = false;
  vi.advanceTimersByTime(3_600_000);
  expect(workers.shutdowns).toBe(0);
  workers.idle = true;
  vi.advanceTimersByTime(4000);
  expect(workers.shutdowns).toBe(0);
  vi.advanceTimersByTime(1000);
  expect(workers.shutdowns).toBe(1);
});

test('does nothing more once it was told to stop watching', () => {
  const workers = fakeWorkers();
  shutdownWhenIdle(workers, 5000)();
  vi.advanceTimersByTime(60_000);
  expect(workers.shutdowns).toBe(0);
});

function fakeWorkers() {
  return {
    idle: true,
    shutdowns: 0,
    isIdle() {
      return this.idle;
    },
    shutdown() {
      this.shutdowns += 1;
    },
  };
}
