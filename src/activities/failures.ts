import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { isPrefetchError, PrefetchError } from '../core/errors.js';

/**
 * The one place where an error becomes what history keeps. The type is the stable code; `cause` is left out,
 * because a library's error may hold a signed URL.
 */
export function toFailure(error: unknown): ApplicationFailure | CancelledFailure {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  const known = isPrefetchError(error) ? error : unexpected(error);
  return ApplicationFailure.create({
    type: known.code,
    message: known.message,
    nonRetryable: known.permanent,
    details: [known.details],
    ...(known.retryAfterMs === undefined ? {} : { nextRetryDelay: known.retryAfterMs }),
    // Waiting as long as the Hub asks is no fault that anyone has to look at.
    ...(known.code === 'RateLimited' ? { category: ApplicationFailureCategory.BENIGN } : {}),
  });
}

function unexpected(error: unknown): PrefetchError {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new PrefetchError('Internal', withoutSecrets(text));
}

/** Cuts queries off URLs, and what looks like a token out of text that is not ours. */
function withoutSecrets(text: string): string {
  return text
    .replaceAll(/(https?:\/\/[^\s?"']+)\?[^\s"']*/g, '$1?…')
    .replaceAll(/\b(?:hf_|Bearer\s+)[\w.-]+/g, '…')
    .slice(0, 2000);
}
