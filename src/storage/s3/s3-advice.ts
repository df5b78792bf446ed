import type { ErrorCode } from '../../core/errors.js';
import { isCertificateError } from '../../http/certificate-errors.js';
import { adviceOnProtocol, spokenWrongly } from '../../http/wrong-protocol.js';
import { areCredentialsEnded, refusesPathStyle, regionElsewhere, type S3Failure } from './s3-refusals.js';

/** What somebody can do about a refusal: by its reason where that tells, by its code otherwise. */
export function adviceOn(code: ErrorCode, failure: S3Failure, context: Asked): string | undefined {
  if (code === 'ObjectTooLarge') return tooLarge(context.action);
  const byName = byReason(failure);
  if (byName !== undefined) return byName;
  return mayRefuseSettings(code, failure, context) ? unset(context) : byCode[code];
}

interface Asked {
  readonly action: string;
  readonly settings?: readonly string[];
}

/** Whether a store may not have what the settings of its bucket ask for, as MinIO without keys has no encryption. */
export function mayRefuseSettings(code: ErrorCode, { status }: S3Failure, { settings = [] }: Asked): boolean {
  return settings.length > 0 && (status === 400 || status === 501) && refusing.includes(code);
}

const refusing: readonly ErrorCode[] = ['UnsupportedStore', 'StoreRefused'];

function unset({ settings = [] }: Asked): string {
  return `the store may lack what ${settings.join(', ')} ask${settings.length === 1 ? 's' : ''} for: unset that, or set the store up for it`;
}

const byCode: Partial<Record<ErrorCode, string>> = {
  BucketNotFound:
    'create the bucket, or check the store URL, AWS_ENDPOINT_URL_S3 and AWS_REGION (a bucket is found in its own region only)',
  StoreAccessDenied:
    'check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or AWS_PROFILE, the clock, and that they may ' +
    'get, put, list and delete objects of this bucket; a policy, an object lock, a tag or the owner of an object may ' +
    'keep them from it',
  StoreCredentialsMissing:
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role',
  StoreUnavailable: 'this may pass; check AWS_ENDPOINT_URL_S3 and the network if it goes on',
  StorageFull: 'free some space in the store, or have the quota of the bucket or its owner raised; then run it again',
  ObjectArchived:
    'the object is archived: restore it from cold storage first, or delete it so that it is fetched again',
  EncryptionKeyRefused:
    'check that the key of MODEL_PREFETCH_S3_SSE_KMS_KEY_ID, or the default key of the bucket, is enabled and in the ' +
    'same region, that these credentials may use it (kms:GenerateDataKey, kms:Decrypt), and MODEL_PREFETCH_S3_SSE',
  StoreRefused: 'the store does not take this request, and trying again would not help: see what it says',
};

function byReason(failure: S3Failure): string | undefined {
  const { name } = failure;
  const region = regionElsewhere(failure);
  if (areCredentialsEnded(name)) {
    return (
      'the credentials have ended and no newer ones were found: renew them (the profile, the web identity file or the ' +
      'role of the worker, or AWS_SESSION_TOKEN and a restart)'
    );
  }
  if (refusesPathStyle(failure)) {
    return (
      'this store wants the bucket in the host name: set MODEL_PREFETCH_S3_ADDRESSING_STYLE=virtual, or ' +
      '"s3 = addressing_style = virtual" in the profile; the credentials are not the problem'
    );
  }
  if (isCertificateError(name)) {
    return (
      'its TLS certificate is not trusted: give its authority in AWS_CA_BUNDLE (or ca_bundle of the profile) or ' +
      'NODE_EXTRA_CA_CERTS, and check the host name and the clock'
    );
  }
  const lacks = failure.status === undefined ? spokenWrongly(name) : undefined;
  if (lacks !== undefined) return adviceOnProtocol(lacks);
  if (region !== undefined) {
    return `the store says that this bucket is in region ${region}: set AWS_REGION=${region}`;
  }
  if (name === 'ExpiredRequest') {
    return 'the signature had ended when it came: it is signed anew; check the clock if it goes on';
  }
  if (name === 'InvalidStorageClass') return 'set MODEL_PREFETCH_S3_STORAGE_CLASS to a class that this store has';
  if (name === 'ENOTFOUND') {
    return 'no such host: check AWS_ENDPOINT_URL_S3, AWS_REGION and MODEL_PREFETCH_S3_ADDRESSING_STYLE';
  }
  return undefined;
}

function tooLarge(action: string): string {
  const part = action.includes('part');
  return (
    'the store, or a gateway before it, takes no request of this size: raise its limit (client_max_body_size in nginx)' +
    (part ? ', or set a smaller MODEL_PREFETCH_PART_SIZE (at least 5MiB)' : '')
  );
}
