import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { shortened, withoutSecrets, withoutSecretsDeep } from '../core/foreign-text.js';

/** A server puts a failure of more than 4 KiB away and keeps "Failure exceeds size limit" in its place. */
const MESSAGE_BYTES = 2_000;
const DETAILS_BYTES = 1_000;
const STACK_BYTES = 400;
/** What each text of the details may have, from what is usual to what is left when there are many of them. */
const DETAIL_BYTES = [500, 100, 50];
const FEW = 5;

/**
 * The one place where an error becomes what history keeps. The type is the stable code; `cause` is left out,
 * because a library's error may hold a signed URL. What is left has no secrets, and fits.
 */
export function toFailure(error: unknown): ApplicationFailure | CancelledFailure {
  if (error instanceof CancelledFailure) return error;
  if (error instanceof ApplicationFailure) return passedOn(error);
  const known = isPrefetchError(error) ? error : unexpected(error);
  return fitting(
    ApplicationFailure.create({
      type: known.code,
      message: fitMessage(known.message),
      nonRetryable: known.permanent,
      details: fitDetails([known.details]),
      ...(known.retryAfterMs === undefined ? {} : { nextRetryDelay: known.retryAfterMs }),
      // Whatever has a code of ours is an answer to a request. The worker's own log and metrics of failures are for faults.
      ...(known.code === 'Internal' ? {} : { category: ApplicationFailureCategory.BENIGN }),
    })
  );
}

function unexpected(error: unknown): PrefetchError {
  return new PrefetchError('Internal', error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}

/** A failure that was made already; a new one only where something has to go from it. */
function passedOn(failure: ApplicationFailure): ApplicationFailure {
  const details = failure.details ?? [];
  const [message, fitted] = [fitMessage(failure.message), fitDetails(details)];
  const isFit = message === failure.message && JSON.stringify(fitted) === JSON.stringify(details);
  if (isFit && failure.cause === undefined && failure.failure === undefined) return fitting(failure);
  return fitting(
    ApplicationFailure.create({
      message,
      details: fitted,
      nonRetryable: failure.nonRetryable ?? false,
      ...(typeof failure.type === 'string' ? { type: failure.type } : {}),
      ...(failure.nextRetryDelay == null ? {} : { nextRetryDelay: failure.nextRetryDelay }),
      ...(failure.category == null ? {} : { category: failure.category }),
    })
  );
}

function fitMessage(message: string): string {
  return shortened(withoutSecrets(message), MESSAGE_BYTES);
}

function fitDetails(details: unknown[]): unknown[] {
  const clean = withoutSecretsDeep(details);
  for (const most of DETAIL_BYTES) {
    const fitted = cut(clean, most);
    if (Array.isArray(fitted) && new TextEncoder().encode(JSON.stringify(fitted)).length <= DETAILS_BYTES)
      return fitted;
  }
  return [];
}

/** Texts shortened, and of a list the first few. */
function cut(value: unknown, most: number): unknown {
  if (typeof value === 'string') return shortened(value, most);
  if (Array.isArray(value)) {
    const kept = value.slice(0, FEW).map((item) => cut(item, most));
    return value.length > FEW ? [...kept, `and ${String(value.length - FEW)} more`] : kept;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, cut(field, most)]));
}

/** The stack says the message once more, so of the stack only the places are kept. */
function fitting(failure: ApplicationFailure): ApplicationFailure {
  const places = (failure.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  failure.stack = shortened(withoutSecrets(places.join('\n')), STACK_BYTES);
  return failure;
}
