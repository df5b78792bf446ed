import { Context } from '@temporalio/activity';
import { toFailure } from './failures.js';

/** Gives an activity its signal and translates what it throws. */
export async function adapt<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = Context.current().cancellationSignal;
  try {
    return await run(signal);
  } catch (error) {
    // A library's own AbortError would be told as a failure; the signal's reason says cancelled, paused or reset.
    signal.throwIfAborted();
    throw toFailure(error);
  }
}
