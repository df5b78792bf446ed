import type { Worker, WorkerOptions } from '@temporalio/worker';
import { handedOver, withHandOver } from '../activities/hand-over.js';
import type { Role } from '../core/queues.js';
import type { TransferEngine } from '../transfer/engine.js';

const LOOK_EVERY_MS = 100;
const BEFORE_THE_END: ReadonlySet<string> = new Set(['INITIALIZED', 'RUNNING']);

/** The end of a worker process that others go on for: its activities give up what they do as soon as that loses nothing. */
export interface HandOver {
  /** What the worker of a role needs for it. */
  options(role: Role): Pick<WorkerOptions, 'interceptors'>;
  /** Begins it when one of the workers shuts down, whoever told it to; returns how to stop watching. */
  watch(workers: readonly Pick<Worker, 'getState'>[]): () => void;
}

/** Waiters are stopped at once, whatever moves bytes when its parts have landed. */
export function createHandOver({ drain }: Pick<TransferEngine, 'drain'>): HandOver {
  const atOnce = new AbortController();
  const whenLanded = new AbortController();
  const begin = async (): Promise<void> => {
    atOnce.abort(handedOver());
    await drain();
    whenLanded.abort(handedOver());
  };
  return {
    options(role) {
      // Planning and publishing take moments, which the grace of the SDK gives them.
      if (role === 'main') return { interceptors: interceptors(new AbortController().signal) };
      // A waiter has nothing to finish.
      return { interceptors: interceptors(role === 'wait' ? atOnce.signal : whenLanded.signal) };
    },
    watch(workers) {
      // The SDK shuts workers down on signals by itself, and tells nobody.
      const timer = setInterval(() => {
        if (workers.every((worker) => BEFORE_THE_END.has(worker.getState()))) return;
        clearInterval(timer);
        void begin();
      }, LOOK_EVERY_MS);
      return () => {
        clearInterval(timer);
      };
    },
  };
}

function interceptors(signal: AbortSignal): NonNullable<WorkerOptions['interceptors']> {
  return {
    activity: [() => ({ inbound: { execute: (input, next) => withHandOver(signal, () => next(input)) } })],
  };
}
