import type { ErrorCode } from '../../core/errors.js';
import { isCertificateError } from '../../http/certificate-errors.js';
import { spokenWrongly } from '../../http/wrong-protocol.js';
import { meaningOf } from './s3-words.js';

/** What a store said. */
export interface S3Failure {
  /** Its error code, such as `NoSuchBucket`, or that of the SDK or of Node. */
  readonly name: string;
  readonly status?: number;
  /** In its own words: to be read, and shown only where it is said what about. */
  readonly message?: string;
  /** The region that the bucket is in, where the store names another one than it was asked in. */
  readonly region?: string;
  readonly retryAfterMs?: number;
}

/** What a failure means: the one table for parts, objects, reads and requests for control. */
export function codeOf(failure: S3Failure): ErrorCode {
  const { name, status } = failure;
  if (refusesPathStyle(failure)) return 'StoreRefused';
  return byName[name] ?? byKind(failure) ?? (status === undefined ? withoutAnswer(name) : byStatus(status));
}

/** Credentials that were good once: whoever gives them out has new ones, now or soon. In the words of S3 and of STS. */
const ended: readonly unknown[] = ['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired'];

/** Whether a store refused a request because the credentials behind it have ended meanwhile. */
export function areCredentialsEnded(reason: unknown): boolean {
  return ended.includes(reason);
}

/** The region that a store sends elsewhere to; other answers may name the one that they come from. */
export function regionElsewhere({ status = 0, region }: S3Failure): string | undefined {
  return status >= 300 && status <= 400 ? region : undefined;
}

/** Whether a store wants the bucket in the host name, and was asked with the bucket in the path. */
export function refusesPathStyle({ name, status, message = '' }: S3Failure): boolean {
  if (status === undefined || status < 300 || status >= 500) return false;
  if (/PathStyle|PathAccess|SecondLevelDomain|VirtualHost/i.test(name)) return true;
  return !isSignature(name) && meaningOf(message).pathStyle;
}

const byName: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'BucketNotFound',
  NoSuchAccessPoint: 'BucketNotFound',
  InvalidBucketName: 'BucketNotFound',
  PermanentRedirect: 'BucketNotFound',
  TemporaryRedirect: 'StoreUnavailable',
  AuthorizationHeaderMalformed: 'BucketNotFound',
  IllegalLocationConstraintException: 'BucketNotFound',
  NoSuchUpload: 'UploadNotFound',
  NoSuchKey: 'ObjectNotFound',
  NotFound: 'ObjectNotFound',
  // The object has become shorter: it is another one.
  InvalidRange: 'ObjectNotFound',
  AllAccessDisabled: 'StoreAccessDenied',
  InvalidAccessKeyId: 'StoreAccessDenied',
  XAdminUserNotFound: 'StoreAccessDenied',
  SignatureDoesNotMatch: 'StoreAccessDenied',
  InvalidToken: 'StoreAccessDenied',
  RequestTimeTooSkewed: 'StoreAccessDenied',
  // A rotated profile, a role or a worker that is started again heals these.
  ExpiredToken: 'StoreUnavailable',
  ExpiredTokenException: 'StoreUnavailable',
  RequestExpired: 'StoreUnavailable',
  TokenRefreshRequired: 'StoreUnavailable',
  // So do fresh signatures, which every try has.
  ExpiredRequest: 'StoreUnavailable',
  CredentialsProviderError: 'StoreCredentialsMissing',
  TokenProviderError: 'StoreCredentialsMissing',
  PreconditionFailed: 'StoreConflict',
  ConditionalRequestConflict: 'StoreConflict',
  OperationAborted: 'StoreConflict',
  // Other names with 409 are those of other writers.
  BucketAlreadyExists: 'StoreRefused',
  BucketAlreadyOwnedByYou: 'StoreRefused',
  BucketNameUnavailable: 'StoreRefused',
  BucketNotEmpty: 'StoreRefused',
  InvalidBucketState: 'StoreRefused',
  ObjectNotAppendable: 'StoreRefused',
  InvalidPart: 'StoreConflict',
  InvalidPartOrder: 'StoreConflict',
  EntityTooSmall: 'StoreConflict',
  KeyTooLongError: 'UnsafePath',
  NotImplemented: 'UnsupportedStore',
  InvalidObjectState: 'ObjectArchived',
  ObjectNotInActiveTierError: 'ObjectArchived',
  EntityTooLarge: 'ObjectTooLarge',
  MaxMessageLengthExceeded: 'ObjectTooLarge',
  InvalidEncryptionAlgorithmError: 'EncryptionKeyRefused',
  // Their status says 400; the bytes were cut or changed on the way.
  RequestTimeout: 'StoreUnavailable',
  IncompleteBody: 'StoreUnavailable',
  BadDigest: 'StoreUnavailable',
  InvalidDigest: 'StoreUnavailable',
  XAmzContentSHA256Mismatch: 'StoreUnavailable',
  XAmzContentChecksumMismatch: 'StoreUnavailable',
  InternalError: 'StoreUnavailable',
};

const isThrottle = /SlowDown|Throttl|TooManyRequests|ServerBusy|RateExceeded|RequestLimit|(?:Qps|Rate|Bandwidth)Limit/i;
const isKms = /^(?:X?Minio)?KMS/i;
const passesAtKms = /Throttl|Timeout|Internal|Unavailable/i;
const isQuota =
  /Quota|StorageFull|InsufficientStorage|InsufficientSpace|NoSpace|NotEnoughSpace|OutOfSpace|OverCapacity|(?:StorageLimit|Cap(?:acity)?)_?Exceed/i;
const isLock = /ObjectLock|Immutable|WORM|Retention|LegalHold/i;

/** Stores have names of their own for what S3 never says, or says in its message alone. */
function byKind({ name, status = 0, message = '' }: S3Failure): ErrorCode | undefined {
  if (isThrottle.test(name)) return 'StoreUnavailable';
  if (isKms.test(name)) {
    const passes = passesAtKms.test(name) || (status >= 500 && status !== 501);
    return passes ? 'StoreUnavailable' : 'EncryptionKeyRefused';
  }
  if (status === 429 || status === 503) return undefined;
  if (isQuota.test(name)) return 'StorageFull';
  if (isLock.test(name)) return 'StoreAccessDenied';
  if (status === 403 && !isSignature(name)) {
    const { kms, quota } = meaningOf(message);
    if (kms) return 'EncryptionKeyRefused';
    if (quota) return 'StorageFull';
  }
  return name === 'AccessDenied' ? 'StoreAccessDenied' : undefined;
}

/** Its message repeats the request. */
function isSignature(name: string): boolean {
  return name === 'SignatureDoesNotMatch';
}

/** No answer at all; a certificate or a scheme stays as it is until somebody does something about it. */
function withoutAnswer(name: string): ErrorCode {
  return isCertificateError(name) || spokenWrongly(name) !== undefined ? 'StoreRefused' : 'StoreUnavailable';
}

const exactly: Readonly<Record<number, ErrorCode>> = {
  301: 'BucketNotFound',
  401: 'StoreAccessDenied',
  403: 'StoreAccessDenied',
  404: 'ObjectNotFound',
  408: 'StoreUnavailable',
  409: 'StoreConflict',
  412: 'StoreConflict',
  413: 'ObjectTooLarge',
  416: 'ObjectNotFound',
  425: 'StoreUnavailable',
  429: 'StoreUnavailable',
  501: 'UnsupportedStore',
  507: 'StorageFull',
};

/** What is on no list is for good where the store says that it is our fault. */
function byStatus(status: number): ErrorCode {
  return exactly[status] ?? (status >= 400 && status < 500 ? 'StoreRefused' : 'StoreUnavailable');
}
