import { setMaxListeners } from 'node:events';

/** Tasks that live and die together. */
export interface TaskGroup {
  /** Aborts when the caller gives up or the first task fails. */
  readonly signal: AbortSignal;
  /** Starts one more task; a running task may do so too. */
  run(task: () => Promise<void>): void;
}

/** Runs tasks until all have ended. The first failure aborts the others, waits for them and is thrown. */
export async function runGroup(signal: AbortSignal, start: (group: TaskGroup) => void): Promise<void> {
  signal.throwIfAborted();
  const abort = new AbortController();
  // Every task listens, so that many listeners are no leak.
  setMaxListeners(0, abort.signal);
  const onAbort = (): void => {
    abort.abort(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const failures: unknown[] = [];
  let running = 0;
  try {
    await new Promise<void>((resolve) => {
      const run = (task: () => Promise<void>): void => {
        running++;
        task()
          .catch((error: unknown) => {
            failures.push(error);
            abort.abort(error);
          })
          .finally(() => {
            if (--running === 0) resolve();
          });
      };
      run(() =>
        Promise.resolve().then(() => {
          start({ signal: abort.signal, run });
        })
      );
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  if (failures.length > 0) throw failures[0];
}
