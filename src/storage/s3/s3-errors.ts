import { compact } from '../../core/compact.js';
import { PrefetchError, isPrefetchError, type ErrorCode } from '../../core/errors.js';
import { foreignText } from '../../core/foreign-text.js';
import type { HttpAnswer } from '../../core/http-answer.js';
import { proxyFailure, refusalOfProxy } from '../../http/proxy-error.js';
import { retryAfterMs } from '../../http/retry-after.js';
import { adviceOn, mayRefuseSettings } from './s3-advice.js';
import { codeOf, refusesPathStyle, regionElsewhere, type S3Failure } from './s3-refusals.js';

/** What messages say about a failed request; never its headers or its URL, which may be signed. */
export interface S3Context {
  readonly action: string;
  readonly bucket: string;
  /** Scheme and host. */
  readonly endpoint: string;
  readonly key?: string;
  /** Variables that say how objects are written, where the action writes one. */
  readonly settings?: readonly string[];
}

/** The store's error for anything that the SDK throws; aborts and errors of our own come back as they are. */
export function s3Error(error: unknown, context: S3Context): unknown {
  if (isPrefetchError(error)) return error;
  if (!(error instanceof Error)) return new PrefetchError('Internal', 'The S3 client threw something that is no error');
  if (error instanceof TypeError || error instanceof RangeError) return error;
  const failure = failureOfError(error);
  const ofProxy = proxyFailure(error, 'StoreUnavailable') ?? refusalOfProxy(context.endpoint, failure.status);
  return ofProxy ?? failureError(failure, context);
}

/** What an error of the SDK says. */
export function failureOfError(error: Error): S3Failure {
  const answer = answeredBy(error);
  const name = nameOf(error);
  if (answer.status === undefined) return { name };
  // A body that is none of S3, as of a proxy: the words are those of the SDK then.
  return name === 'Error' || name === '' ? { ...answer, name: 'no error code', message: '' } : { ...answer, name };
}

/** The store's error for an answer that is no success. */
export function failureError(failure: S3Failure, context: S3Context): PrefetchError {
  const { status, retryAfterMs: delayMs } = failure;
  const region = regionElsewhere(failure);
  const name = foreignText(failure.name, 100);
  const code = codeOf({ ...failure, name });
  const what = context.key === undefined ? '' : ` ${JSON.stringify(context.key)} in`;
  const where = `bucket ${context.bucket} at ${context.endpoint}`;
  const advice = adviceOn(code, { ...failure, name }, context);
  return new PrefetchError(
    code,
    `Could not ${context.action}${what} ${where} (${saidOf(code, { ...failure, name })})` +
      (advice === undefined ? '' : `: ${advice}`),
    {
      details: {
        bucket: context.bucket,
        endpoint: context.endpoint,
        key: context.key,
        status,
        reason: name,
        ...(region === undefined ? {} : { region }),
        ...(refusesPathStyle(failure) ? { addressing: 'virtual' } : {}),
        ...(mayRefuseSettings(code, failure, context) ? { settings: true } : {}),
      },
      ...(delayMs === undefined ? {} : { retryAfterMs: delayMs }),
    }
  );
}

/** Its own words are shown where the code says too little, and not where they may repeat what was signed. */
const quoted: readonly ErrorCode[] = ['StoreRefused', 'EncryptionKeyRefused', 'ObjectTooLarge', 'StorageFull'];

function saidOf(code: ErrorCode, { name, status, message = '' }: S3Failure): string {
  const short = status === undefined ? name : `${name}, HTTP ${String(status)}`;
  const words = quoted.includes(code) ? foreignText(message, 200) : '';
  return words === '' ? short : `${short}, ${JSON.stringify(words)}`;
}

/** What an answer to one of our own requests says. */
export function failureOf(answer: HttpAnswer): S3Failure {
  const { text, headers, status } = answer;
  const name = /<Code>([A-Za-z0-9_.-]{1,100})<\/Code>/.exec(text)?.[1] ?? 'no error code';
  const message = /<Message>([^<]{1,2000})<\/Message>/.exec(text)?.[1];
  const [region, endpoint] = ['Region', 'Endpoint'].map((tag) => new RegExp(`<${tag}>([^<]{1,300})<`).exec(text)?.[1]);
  const named = { region, endpoint, message };
  return {
    name,
    ...compact({ status, message, region: regionIn(headers, named), retryAfterMs: retryAfterMs(headers) }),
  };
}

interface Said {
  readonly region?: unknown;
  readonly endpoint?: unknown;
  readonly message?: unknown;
}

/** A region that an answer names: in its head, in its body, as part of a host name of AWS, or in words. */
function regionIn(headers: Readonly<Record<string, string>>, { region, endpoint, message }: Said): string | undefined {
  const found = [headers['x-amz-bucket-region'], region, match(regionOfHost, endpoint), match(regionInWords, message)];
  return found.find((each): each is string => typeof each === 'string' && /^[a-z0-9-]{1,63}$/i.test(each));
}

const regionOfHost = /\.s3[.-]([a-z0-9-]+)\.amazonaws\.com/;
const regionInWords = /expecting (?:&quot;|['"])([a-z0-9-]+)/;

function match(pattern: RegExp, text: unknown): string | undefined {
  return typeof text === 'string' ? pattern.exec(text)?.[1] : undefined;
}

function nameOf(error: Error): string {
  // A connection that failed on every address of a host is an AggregateError with the codes inside.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (inner instanceof Error && 'code' in inner && typeof inner.code === 'string') return inner.code;
  if ('Code' in error && typeof error.Code === 'string') return error.Code;
  return error.name;
}

/** What an error of the SDK has besides its name; its message is the store's where there was an answer. */
function answeredBy(error: Error): Omit<S3Failure, 'name'> {
  const status = fieldOf(fieldOf(error, '$metadata'), 'httpStatusCode');
  if (typeof status !== 'number') return {};
  const headers = textsIn(fieldOf(fieldOf(error, '$response'), 'headers'));
  const { message } = error;
  const region = regionIn(headers, { region: fieldOf(error, 'Region'), endpoint: fieldOf(error, 'Endpoint'), message });
  return compact({ status, message, region, retryAfterMs: retryAfterMs(headers) });
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function textsIn(headers: unknown): Record<string, string> {
  if (typeof headers !== 'object' || headers === null) return {};
  const texts = Object.entries(headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(texts);
}
