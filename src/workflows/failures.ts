import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { asUndecoded, inputNotDecodedText } from '../core/undecoded.js';

/** True when an activity failed with this stable code. */
export function failedWith(error: unknown, code: string): boolean {
  return error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.type === code;
}

/** True when an activity failed by its own word or ran out of time: it was not cancelled. */
export function failedOrLate(error: unknown): error is ActivityFailure {
  if (!(error instanceof ActivityFailure)) return false;
  return error.cause instanceof ApplicationFailure || error.cause instanceof TimeoutFailure;
}

/**
 * Fails the workflow with what its activity said, not with "Activity task failed": the code and the permanence reach
 * every caller. A step that ran out of time tells why it was last tried again.
 */
export function unwrapFailure(error: unknown): unknown {
  if (!(error instanceof ActivityFailure)) return error;
  const { cause } = error;
  const told = cause instanceof TimeoutFailure ? (cause.cause ?? cause) : cause;
  if (told instanceof ApplicationFailure) {
    return ApplicationFailure.create({
      type: told.type ?? 'Internal',
      message: told.message,
      nonRetryable: told.nonRetryable ?? false,
      details: told.details ?? [],
      // What is no fault of an activity is none of the run either: no metric counts it.
      ...(told.category == null ? {} : { category: told.category }),
    });
  }
  if (told instanceof TimeoutFailure) {
    return ApplicationFailure.create({
      type: 'Internal',
      message: `Internal: ${error.activityType} ran out of time (${told.timeoutType}). Run it again: it goes on where it was`,
    });
  }
  return error;
}

/** Fails the run by name for a value that the worker's data converter could not decode; any other is given back. */
export function decoded<T>(value: T): T {
  const undecoded = asUndecoded(value);
  if (undecoded === undefined) return value;
  throw ApplicationFailure.create({
    type: 'InputNotDecoded',
    message: `InputNotDecoded: ${inputNotDecodedText(undecoded)}`,
    nonRetryable: true,
    // Details would be encoded, and the client that sent the input may lack the codec of this worker.
  });
}
