import { ApplicationFailure } from '@temporalio/common';
import { isErrorCode, PrefetchError, type ErrorCode, type ErrorDetails } from '../core/errors.js';

/**
 * The error that an activity of ours raised, out of the failure that history keeps of it: the same code, text, permanence
 * and details, and what the reader knows besides. Undefined for anything else.
 */
export function fromFailure(error: unknown, known: ErrorDetails): PrefetchError | undefined {
  if (!(error instanceof ApplicationFailure) || !isErrorCode(error.type)) return undefined;
  const { type, message, details } = error;
  const prefix = `${type}: `;
  if (message === ENCODED) return encodedFailure(type, known);
  const text = message.startsWith(prefix) ? message.slice(prefix.length) : message;
  return new PrefetchError(type, text, { details: { ...readDetails(details?.[0]), ...known } });
}

/** A failure of which only the code can be read here. */
export function encodedFailure(code: ErrorCode, details: ErrorDetails): PrefetchError {
  return new PrefetchError(code, ENCODED_TEXT, { details });
}

/** What the SDK writes in place of a message that only those with the codec may read. */
const ENCODED = 'Encoded failure';
const ENCODED_TEXT =
  'The message is encoded, and the data converter of the workers is missing here or is another one: ' +
  'set MODEL_PREFETCH_DATA_CONVERTER to their module, or give the Client the dataConverter';

/** A client may be shown the failure of any worker: of its details only what an error of ours may have is taken. */
function readDetails(value: unknown): ErrorDetails {
  if (!isPlainObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]) => (isDetail(field) ? [[name, field] as const] : []))
  );
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function isDetail(value: unknown): value is ErrorDetails[string] {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string');
  return ['string', 'number', 'boolean'].includes(typeof value);
}
