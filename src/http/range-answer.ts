import type { IncomingHttpHeaders } from 'node:http';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { KiB } from '../core/units.js';
import { foreignText } from '../core/foreign-text.js';
import { retryAfterMs } from './retry-after.js';
import type { ByteRange } from '../core/byte-source.js';

/** The head of an answer to a ranged GET. */
export interface RangeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** How much of the body of a refusal is looked at. */
export const refusalBytes = 64 * KiB;

/** What was asked for, and of whom. */
export interface RangeQuestion {
  readonly origin: string;
  readonly range: ByteRange;
  readonly totalSize: number;
}

/** Fails unless the body of an answer, which is no refusal, is exactly the range that was asked for. */
export function checkRangeAnswer(answer: RangeAnswer, question: RangeQuestion): void {
  if (answer.status === 206) checkPartial(answer.headers, question);
  else if (answer.status === 200) checkWhole(answer.headers, question);
  else throw refusalError(answer, question);
  const encoding = answer.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new PrefetchError(
      'HubProtocol',
      `${question.origin} sent bytes encoded as "${foreignText(encoding, 40)}" where identity was asked for.`
    );
  }
}

/** Whether the body of an answer may tell why it is a refusal: S3 names its reason there. */
export function tellsReason({ status, headers }: RangeAnswer): boolean {
  return status >= 400 && headers['content-type']?.includes('xml') === true;
}

/** The reason of a refusal in the words of S3, such as `AccessDenied`, out of the beginning of its body. */
export function reasonIn(text: string): string | undefined {
  return /<Code>([A-Za-z0-9_.-]{1,100})<\/Code>/.exec(text)?.[1];
}

/** Whether a location was refused as expired or not allowed, so that a new one may work. */
export function isLocationRefused(error: unknown): boolean {
  return isPrefetchError(error, 'SourceUnavailable') && [401, 403, 410].includes(Number(error.details['status']));
}

function checkPartial(headers: IncomingHttpHeaders, { origin, range, totalSize }: RangeQuestion): void {
  const expected = `bytes ${range.start}-${range.end - 1}/${totalSize}`;
  const got = headers['content-range'] ?? 'no Content-Range';
  if (got !== expected) {
    throw new PrefetchError('HubProtocol', `${origin} sent "${foreignText(got, 100)}", expected "${expected}".`);
  }
  checkLength(headers, range.end - range.start, origin);
}

function checkWhole(headers: IncomingHttpHeaders, { origin, range, totalSize }: RangeQuestion): void {
  if (range.start !== 0 || range.end !== totalSize) {
    throw new PrefetchError(
      'StreamingUnsupported',
      `The source gives no ranges: ${origin} answered 200 to bytes ${range.start}-${range.end - 1} of ${totalSize}.`
    );
  }
  if (headers['content-length'] === undefined) {
    throw new PrefetchError('HubProtocol', `${origin} sent a file without its length, expected ${totalSize} bytes.`);
  }
  checkLength(headers, totalSize, origin);
}

function checkLength(headers: IncomingHttpHeaders, expected: number, origin: string): void {
  const length = headers['content-length'];
  if (length === undefined || length === String(expected)) return;
  throw new PrefetchError('HubProtocol', `${origin} announced ${foreignText(length, 40)} bytes, expected ${expected}.`);
}

/** The failure that a refusal stands for; `body` is what has come of its body. */
export function refusalError(
  { status, headers }: RangeAnswer,
  { origin, range }: Omit<RangeQuestion, 'totalSize'>,
  body = ''
): PrefetchError {
  const reason = reasonIn(body);
  const wait = retryAfterMs(headers);
  const options = {
    details: { status, ...(reason === undefined ? {} : { storeCode: reason }) },
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  };
  const said = reason === undefined ? String(status) : `${status} ${reason}`;
  const text = `${origin} answered ${said} to bytes ${range.start}-${range.end - 1}.`;
  if (status === 429) return new PrefetchError('RateLimited', text, options);
  // The file behind the location is shorter than the listing says.
  if (status === 416) return new PrefetchError('TruncatedSource', text, options);
  return new PrefetchError('SourceUnavailable', text, options);
}
