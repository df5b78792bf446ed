import type { ByteRange } from '../core/byte-source.js';
import { isPrefetchError, PrefetchError, rewrap, type ErrorDetails } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import type { HttpAnswer } from '../core/http-answer.js';
import { compressionsOf } from './content-encoding.js';
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

/**
 * Fails unless the body of an answer, which is no refusal, may be exactly the range that was asked for. What its headers do
 * not say, the count of the bytes and the digest of the file prove; what they deny is refused.
 */
export function checkRangeAnswer(answer: RangeAnswer, question: RangeQuestion): void {
  const { status, headers } = answer;
  if (isRefusal(answer)) throw refusalError(answer, question);
  const named = namedRange(headers['content-range'], question);
  if (named === 'another') throw otherRange(headers, question, {});
  if (named === 'of another file') throw otherRange(headers, question, { otherSize: true });
  // All of the file is longer, and the page of a portal is none of it.
  const isPage = status === 200 && named === undefined && !isWhole(question) && !mayBeWhole(headers, question);
  if (isPage) throw senselessAnswer(`${question.origin} sent something else than the file.`);
  const inParts = headers['content-type']?.toLowerCase().startsWith('multipart/byteranges') === true;
  if (inParts || (status === 200 && named !== 'this' && !isWhole(question))) throw noRanges(status, question);
  checkLength(headers, question);
  checkEncoding(headers, question);
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
  return (
    isPrefetchError(error, 'SourceUnavailable') &&
    !isSenseless(error) &&
    [401, 403, 410].includes(Number(error.details['status']))
  );
}

/** The failure for an answer that is no refusal and not what was asked for: a hiccup of a proxy, or the way of a source. */
export function senselessAnswer(text: string, details: ErrorDetails = {}): PrefetchError {
  return new PrefetchError('SourceUnavailable', text, { details: { ...details, senseless: true } });
}

/** Whether an answer made no sense, so that the same question need not be asked for ever. */
export function isSenseless(error: unknown): boolean {
  return isPrefetchError(error) && error.details['senseless'] === true;
}

/** Whether an answer was about another size: that of an object which became another one, whoever asks for it anew is told. */
export function isOfOtherSize(error: unknown): boolean {
  return isPrefetchError(error) && error.details['otherSize'] === true;
}

/** What remains of a read after its last try: where answers made no sense, another way may work, and this one is not tried on. */
export function lastOf(error: unknown): unknown {
  return isPrefetchError(error) && isSenseless(error) && !error.permanent ? unusableAnswers(error) : error;
}

/** The failure of a read whose answers made no sense to the last try. */
export function unusableAnswers(error: PrefetchError): PrefetchError {
  return rewrap(error, {
    code: 'StreamingUnsupported',
    text: `The source gives nothing that can be used: ${error.text}`,
  });
}

/** Whether trying a read again may help, with the location that it has. */
export function isRetryable(error: PrefetchError): boolean {
  return !error.permanent && !isLocationRefused(error);
}

type NamedRange = 'this' | 'another' | 'of another file';

/** What an answer says that it is; some say it twice, or leave out the size of the whole. */
function namedRange(header: string | undefined, { range, totalSize }: RangeQuestion): NamedRange | undefined {
  let named: 'this' | undefined;
  for (const text of (header ?? '').split(',')) {
    const [, first, last, total = '*'] = /^\D*(\d+)\s*-\s*(\d+)(?:\s*\/\s*(\d+|\*))?/.exec(text) ?? [];
    if (first === undefined) continue;
    const isThis = Number(first) === range.start && Number(last) === range.end - 1;
    if (!isThis) return 'another';
    if (total !== '*' && Number(total) !== totalSize) return 'of another file';
    named = 'this';
  }
  return named;
}

function isWhole({ range, totalSize }: RangeQuestion): boolean {
  return range.start === 0 && range.end === totalSize;
}

function mayBeWhole(headers: HttpAnswer['headers'], { totalSize }: RangeQuestion): boolean {
  const length = headers['content-length'];
  if (length !== undefined) return Number(length) === totalSize;
  return headers['content-type']?.toLowerCase().includes('html') !== true;
}

function otherRange(
  headers: HttpAnswer['headers'],
  { origin, range, totalSize }: RangeQuestion,
  details: ErrorDetails
): PrefetchError {
  const got = foreignText(headers['content-range'] ?? '', 100);
  const expected = `bytes ${range.start}-${range.end - 1}/${totalSize}`;
  return senselessAnswer(`${origin} sent "${got}", expected "${expected}".`, details);
}

function noRanges(status: number, { origin, range, totalSize }: RangeQuestion): PrefetchError {
  const asked = `bytes ${range.start}-${range.end - 1} of ${totalSize}`;
  return new PrefetchError(
    'StreamingUnsupported',
    `The source gives no ranges: ${origin} answered ${status}${status === 206 ? ' in parts' : ''} to ${asked}.`
  );
}

function checkLength(headers: HttpAnswer['headers'], { origin, range }: RangeQuestion): void {
  const expected = range.end - range.start;
  const lengths = headers['content-length']?.split(',') ?? [];
  if (lengths.every((length) => Number(length) === expected)) return;
  const got = foreignText(lengths.join(','), 40);
  throw senselessAnswer(`${origin} announced ${got} bytes, expected ${expected}.`);
}

/** Who packs bytes on their way knows no length, or another; an exact one is that of the bytes, and their digest decides. */
function checkEncoding(headers: HttpAnswer['headers'], { origin }: RangeQuestion): void {
  const encoding = headers['content-encoding'];
  if (compressionsOf(encoding).length === 0 || headers['content-length'] !== undefined) return;
  const got = foreignText(encoding?.trim().toLowerCase() ?? '', 40);
  throw senselessAnswer(`${origin} sent bytes encoded as "${got}" where identity was asked for.`);
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
