import { toFailure } from '../starter/to-failure.js';
import { activitySignal } from './hand-over.js';

/** Gives an activity its signal and translates what it throws. */
export async function adapt<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = activitySignal();
  try {
    return await run(signal);
  } catch (error) {
    // A library's own AbortError would be told as a failure; the signal's reason says cancelled, paused, reset or handed over.
    signal.throwIfAborted();
    throw toFailure(error);
  }
}
