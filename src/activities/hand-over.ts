import { AsyncLocalStorage } from 'node:async_hooks';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';

const workersSignal = new AsyncLocalStorage<AbortSignal>();

/** Runs an activity of a worker whose signal says when it hands over what it works on. */
export async function withHandOver<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await workersSignal.run(signal, work);
  } catch (error) {
    // What the SDK cancels at the end of its grace would wait as after a fault, longer with each attempt.
    if (error instanceof CancelledFailure && error.message === 'WORKER_SHUTDOWN') throw handedOver();
    throw error;
  }
}

/** Aborts when the running activity is to end: cancelled, paused, reset, or handed over to another worker. */
export function activitySignal(): AbortSignal {
  const { cancellationSignal } = Context.current();
  const handOver = workersSignal.getStore();
  return handOver === undefined ? cancellationSignal : AbortSignal.any([cancellationSignal, handOver]);
}

const HANDED_OVER = 'Internal: The worker process was told to stop; the next one goes on from what is in the store';

/** Whether an activity ended only because its worker does. */
export function isHandedOver(error: unknown): boolean {
  return error instanceof ApplicationFailure && error.message === HANDED_OVER;
}

/** No fault of anybody, so that the server gives the activity to the next worker at once. */
export function handedOver(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'Internal',
    message: HANDED_OVER,
    nextRetryDelay: '1ms',
    category: ApplicationFailureCategory.BENIGN,
  });
}
