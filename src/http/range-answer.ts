import type { ByteRange } from '../core/byte-source.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import type { HttpAnswer } from '../core/http-answer.js';
import { retryAfterMs } from './retry-after.js';

/** The head of an answer to a ranged GET. */
export type RangeAnswer = Pick<HttpAnswer, 'status' | 'headers'>;

/** Says what a refusal means, for those who know better than a source of which only the status counts. */
export type JudgeRefusal = (answer: HttpAnswer) => Promise<Error>;

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
      'SourceUnavailable',
      `${question.origin} sent bytes encoded as "${foreignText(encoding, 40)}" where identity was asked for.`
    );
  }
}

/** The failure that a refusal is; whoever judges must give one, in JavaScript too. */
export async function judged(judge: JudgeRefusal | undefined, answer: HttpAnswer): Promise<Error> {
  const failure: unknown = await judge?.(answer);
  if (failure instanceof Error) return failure;
  return new PrefetchError('Internal', `No failure was given for ${answer.status} of ${answer.origin}`);
}

/** Whether an answer is no bytes of a file, but something that is to be judged. */
export function isRefusal({ status }: RangeAnswer): boolean {
  return status !== 200 && status !== 206;
}

/** Whether a location was refused as expired or not allowed, so that a new one may work. */
export function isLocationRefused(error: unknown): boolean {
  if (isPrefetchError(error, 'StoreAccessDenied')) return true;
  return isPrefetchError(error, 'SourceUnavailable') && [401, 403, 410].includes(Number(error.details['status']));
}

/** Whether trying a read again may help, with the location that it has. */
export function isRetryable(error: PrefetchError): boolean {
  return !error.permanent && !isLocationRefused(error);
}

function checkPartial(headers: HttpAnswer['headers'], { origin, range, totalSize }: RangeQuestion): void {
  const expected = `bytes ${range.start}-${range.end - 1}/${totalSize}`;
  const got = headers['content-range'] ?? 'no Content-Range';
  if (got !== expected) {
    throw new PrefetchError('SourceUnavailable', `${origin} sent "${foreignText(got, 100)}", expected "${expected}".`);
  }
  checkLength(headers, range.end - range.start, origin);
}

function checkWhole(headers: HttpAnswer['headers'], { origin, range, totalSize }: RangeQuestion): void {
  if (range.start !== 0 || range.end !== totalSize) {
    throw new PrefetchError(
      'StreamingUnsupported',
      `The source gives no ranges: ${origin} answered 200 to bytes ${range.start}-${range.end - 1} of ${totalSize}.`
    );
  }
  if (headers['content-length'] === undefined) {
    throw new PrefetchError(
      'SourceUnavailable',
      `${origin} sent a file without its length, expected ${totalSize} bytes.`
    );
  }
  checkLength(headers, totalSize, origin);
}

function checkLength(headers: HttpAnswer['headers'], expected: number, origin: string): void {
  const length = headers['content-length'];
  if (length === undefined || length === String(expected)) return;
  throw new PrefetchError(
    'SourceUnavailable',
    `${origin} announced ${foreignText(length, 40)} bytes, expected ${expected}.`
  );
}

/** The failure that a refusal of a source stands for: its status tells all. */
function refusalError(
  { status, headers }: RangeAnswer,
  { origin, range }: Omit<RangeQuestion, 'totalSize'>
): PrefetchError {
  const wait = retryAfterMs(headers);
  const options = { details: { status }, ...(wait === undefined ? {} : { retryAfterMs: wait }) };
  const text = `${origin} answered ${status} to bytes ${range.start}-${range.end - 1}.`;
  if (status === 429) return new PrefetchError('RateLimited', text, options);
  // The file behind the location is shorter than the listing says.
  if (status === 416) return new PrefetchError('TruncatedSource', text, options);
  return new PrefetchError('SourceUnavailable', text, options);
}
