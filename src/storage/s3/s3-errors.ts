import { PrefetchError, isPrefetchError, type ErrorCode } from '../../core/errors.js';
import { foreignText } from '../../core/foreign-text.js';
import type { HttpAnswer } from '../../core/http-answer.js';
import { proxyFailure, refusalOfProxy } from '../../http/proxy-error.js';
import { retryAfterMs } from '../../http/retry-after.js';
import { areCredentialsEnded } from './s3-credentials.js';

/** What messages say about a failed request; never its headers or its URL, which may be signed. */
export interface S3Context {
  readonly action: string;
  readonly bucket: string;
  /** Scheme and host. */
  readonly endpoint: string;
  readonly key?: string;
}

/** What a store said. */
export interface S3Failure {
  /** Its error code, such as `NoSuchBucket`, or that of the SDK or of Node. */
  readonly name: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
}

const byName: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'BucketNotFound',
  InvalidBucketName: 'BucketNotFound',
  PermanentRedirect: 'BucketNotFound',
  TemporaryRedirect: 'StoreUnavailable',
  AuthorizationHeaderMalformed: 'BucketNotFound',
  NoSuchUpload: 'UploadNotFound',
  NoSuchKey: 'ObjectNotFound',
  NotFound: 'ObjectNotFound',
  // The object has become shorter: it is another one.
  InvalidRange: 'ObjectNotFound',
  AccessDenied: 'StoreAccessDenied',
  AllAccessDisabled: 'StoreAccessDenied',
  InvalidAccessKeyId: 'StoreAccessDenied',
  XAdminUserNotFound: 'StoreAccessDenied',
  SignatureDoesNotMatch: 'StoreAccessDenied',
  InvalidObjectState: 'StoreAccessDenied',
  // A rotated profile, a role or a worker that is started again heals these.
  ExpiredToken: 'StoreUnavailable',
  ExpiredTokenException: 'StoreUnavailable',
  RequestExpired: 'StoreUnavailable',
  TokenRefreshRequired: 'StoreUnavailable',
  InvalidToken: 'StoreAccessDenied',
  RequestTimeTooSkewed: 'StoreAccessDenied',
  CredentialsProviderError: 'StoreCredentialsMissing',
  TokenProviderError: 'StoreCredentialsMissing',
  PreconditionFailed: 'StoreConflict',
  ConditionalRequestConflict: 'StoreConflict',
  InvalidPart: 'StoreConflict',
  InvalidPartOrder: 'StoreConflict',
  EntityTooSmall: 'StoreConflict',
  KeyTooLongError: 'UnsafePath',
  XMinioStorageFull: 'DiskFull',
  QuotaExceeded: 'DiskFull',
  NotImplemented: 'UnsupportedStore',
};

const byStatus: Readonly<Record<number, ErrorCode>> = {
  401: 'StoreAccessDenied',
  403: 'StoreAccessDenied',
  404: 'ObjectNotFound',
  409: 'StoreConflict',
  412: 'StoreConflict',
  416: 'ObjectNotFound',
  501: 'UnsupportedStore',
  507: 'DiskFull',
};

const advice: Partial<Record<ErrorCode, string>> = {
  BucketNotFound:
    'create the bucket, or check the store URL, AWS_ENDPOINT_URL_S3 and AWS_REGION (a bucket is found in its own region only)',
  StoreAccessDenied:
    'check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or AWS_PROFILE, the clock, and that they may ' +
    'get, put, list and delete objects of this bucket; a policy, a tag or the owner of an object may keep them from it',
  StoreCredentialsMissing:
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role',
  StoreUnavailable: 'it is asked again; check AWS_ENDPOINT_URL_S3 and the network if this goes on',
  DiskFull: 'free some space in the store',
};

/** The store's error for anything that the SDK throws; aborts and errors of our own come back as they are. */
export function s3Error(error: unknown, context: S3Context): unknown {
  if (isPrefetchError(error)) return error;
  if (!(error instanceof Error)) return new PrefetchError('Internal', 'The S3 client threw something that is no error');
  if (error instanceof TypeError || error instanceof RangeError) return error;
  const ofProxy = proxyFailure(error, 'StoreUnavailable') ?? refusalOfProxy(context.endpoint, metadataOf(error).status);
  return ofProxy ?? failureError({ name: nameOf(error), ...metadataOf(error) }, context);
}

/** The store's error for an answer that is no success. */
export function failureError(failure: S3Failure, context: S3Context): PrefetchError {
  const { status, retryAfterMs: delayMs } = failure;
  const name = foreignText(failure.name, 100);
  const code = byName[name] ?? (status === undefined ? undefined : byStatus[status]) ?? 'StoreUnavailable';
  const said = status === undefined ? name : `${name}, HTTP ${String(status)}`;
  const what = context.key === undefined ? '' : ` ${JSON.stringify(context.key)} in`;
  const hint = adviceOn(name) ?? advice[code];
  return new PrefetchError(
    code,
    `Could not ${context.action}${what} bucket ${context.bucket} at ${context.endpoint} (${said})` +
      (hint === undefined ? '' : `: ${hint}`),
    {
      details: { bucket: context.bucket, endpoint: context.endpoint, key: context.key, status, reason: name },
      ...(delayMs === undefined ? {} : { retryAfterMs: delayMs }),
    }
  );
}

/** What to do about a refusal, where its reason alone tells. */
function adviceOn(reason: string): string | undefined {
  if (areCredentialsEnded(reason)) {
    return (
      'the credentials have ended and no newer ones were found: renew them (the profile, the web identity file or the ' +
      'role of the worker, or AWS_SESSION_TOKEN and a restart); it is tried again meanwhile'
    );
  }
  if (reason === 'InvalidObjectState') {
    return 'the object is archived: restore it from cold storage first, or delete it so that it is fetched again';
  }
  return undefined;
}

/** What an answer to one of our own requests says. */
export function failureOf(answer: HttpAnswer): S3Failure {
  const name = /<Code>([A-Za-z0-9_.-]{1,100})<\/Code>/.exec(answer.text)?.[1] ?? 'no error code';
  const delayMs = retryAfterMs(answer.headers);
  return { name, status: answer.status, ...(delayMs === undefined ? {} : { retryAfterMs: delayMs }) };
}

function nameOf(error: Error): string {
  // A connection that failed on every address of a host is an AggregateError with the codes inside.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (inner instanceof Error && 'code' in inner && typeof inner.code === 'string') return inner.code;
  if ('Code' in error && typeof error.Code === 'string') return error.Code;
  return error.name;
}

function metadataOf(error: Error): Pick<S3Failure, 'status' | 'retryAfterMs'> {
  const metadata = '$metadata' in error ? error.$metadata : undefined;
  const response = '$response' in error ? error.$response : undefined;
  return { ...statusIn(metadata), ...retryAfterIn(response) };
}

function statusIn(metadata: unknown): { status?: number } {
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return {};
  return typeof metadata.httpStatusCode === 'number' ? { status: metadata.httpStatusCode } : {};
}

function retryAfterIn(response: unknown): { retryAfterMs?: number } {
  if (typeof response !== 'object' || response === null || !('headers' in response)) return {};
  const { headers } = response;
  if (typeof headers !== 'object' || headers === null || !('retry-after' in headers)) return {};
  const value = headers['retry-after'];
  const delayMs = typeof value === 'string' ? retryAfterMs({ 'retry-after': value }) : undefined;
  return delayMs === undefined ? {} : { retryAfterMs: delayMs };
}
