import { withoutControls } from './control-characters.js';
import { isPermanent, type ErrorCode } from './error-codes.js';
import { withoutSecrets } from './foreign-text.js';

export { isErrorCode, isPermanent, type ErrorCode } from './error-codes.js';

/** Values that a program can act on; they go over the wire, and secrets are cut out of them. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** What an error has besides its code and its text. */
export interface PrefetchErrorOptions {
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
  /** How long the other side asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * The one error class of this package. `message` is `Code: text`, so that the code stays in every log and history.
 * It has no control characters but line breaks: names of tensors and the like stand in it, and go to terminals.
 * Neither `text` nor `details` hold a token or a signed query: text of others may stand in them, so both are cleaned.
 */
export class PrefetchError extends Error {
  override readonly name = 'PrefetchError';
  readonly code: ErrorCode;
  /** What people read, without the code. */
  readonly text: string;
  readonly details: ErrorDetails;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, text: string, options: PrefetchErrorOptions = {}) {
    const clean = withoutSecrets(withoutControls(text));
    super(`${code}: ${clean}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.text = clean;
    this.details = cleanDetails(options.details ?? {});
    this.retryAfterMs = options.retryAfterMs;
  }

  get permanent(): boolean {
    return isPermanent(this.code);
  }
}

/** A failure in other words, or under another code: its details and how long to wait stay, and it becomes the cause. */
export function rewrap(
  error: PrefetchError,
  {
    code = error.code,
    text,
    details,
  }: { readonly code?: ErrorCode; readonly text: string; readonly details?: ErrorDetails }
): PrefetchError {
  const { retryAfterMs } = error;
  return new PrefetchError(code, text, {
    details: { ...error.details, ...details },
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function cleanDetails(details: ErrorDetails): ErrorDetails {
  const clean = Object.entries(details).map(([name, value]): [string, ErrorDetails[string]] => {
    if (typeof value === 'string') return [name, withoutSecrets(value)];
    return [name, typeof value === 'object' ? value.map(withoutSecrets) : value];
  });
  return Object.fromEntries(clean);
}

/** True for an error of ours, and of that code where one is given. */
export function isPrefetchError(error: unknown, code?: ErrorCode): error is PrefetchError {
  return error instanceof PrefetchError && (code === undefined || error.code === code);
}
