import { setMaxListeners } from 'node:events';

/** Tasks that live and die together. */
export interface TaskGroup {
  /** Aborts when the caller gives up or the first task fails. */
  readonly signal: AbortSignal;
  /** Starts one more task; a running task may do so too. */
  run(task: () => Promise<void>): void;
}

/**
 * Runs tasks until all have ended. What ends the group first, a failure or the caller's abort, aborts the others, waits for
 * them and is thrown.
 */
export async function runGroup(outer: AbortSignal | undefined, start: (group: TaskGroup) => void): Promise<void> {
  outer?.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  // Every task listens, so that many listeners are no leak.
  setMaxListeners(0, signal);
  const onAbort = (): void => {
    controller.abort(outer?.reason);
  };
  outer?.addEventListener('abort', onAbort, { once: true });
  let running = 0;
  await new Promise<void>((resolve) => {
    const run = (task: () => Promise<void>): void => {
      running++;
      task()
        .catch((error: unknown) => {
          controller.abort(error);
        })
        .finally(() => {
          if (--running === 0) resolve();
        });
    };
    run(() =>
      Promise.resolve().then(() => {
        start({ signal, run });
      })
    );
  });
  outer?.removeEventListener('abort', onAbort);
  // A signal keeps the reason of its first abort.
  signal.throwIfAborted();
}
