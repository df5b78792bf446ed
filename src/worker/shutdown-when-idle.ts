import type { PrefetchWorkers } from './create-workers.js';

const LOOK_EVERY_MS = 1000;

/**
 * Shuts the workers down once they have had nothing to do for so long; returns how to stop watching them.
 *
 * For a process that something else starts when work waits: ended from outside, it could be in the middle of a task.
 */
export function shutdownWhenIdle(workers: Pick<PrefetchWorkers, 'isIdle' | 'shutdown'>, idleMs: number): () => void {
  // Looks are counted, not clock time: a machine that slept was not idle.
  let idleLooks = 0;
  const timer = setInterval(() => {
    idleLooks = workers.isIdle() ? idleLooks + 1 : 0;
    if (idleLooks * LOOK_EVERY_MS < idleMs) return;
    clearInterval(timer);
    workers.shutdown();
  }, LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
  };
}
