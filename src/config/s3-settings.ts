import { compact } from '../core/compact.js';
import { invalid } from './invalid-variable.js';

/** What the AWS CLI has flags for, and no variables of its own. */
export interface S3Settings {
  readonly addressingStyle?: 'auto' | 'path' | 'virtual';
  readonly sse?: 'AES256' | 'aws:kms' | 'aws:kms:dsse';
  readonly sseKmsKeyId?: string;
  readonly storageClass?: string;
  readonly expectedBucketOwner?: string;
  readonly requestPayer?: 'requester';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the settings of S3; fails as `InvalidInput` naming the variable that is out of shape. */
export function readS3Settings(environment: Environment): S3Settings {
  const sse = oneOf(environment, 'MODEL_PREFETCH_S3_SSE', ['AES256', 'aws:kms', 'aws:kms:dsse'] as const);
  return compact({
    addressingStyle: oneOf(environment, 'MODEL_PREFETCH_S3_ADDRESSING_STYLE', ['auto', 'path', 'virtual'] as const),
    sse,
    sseKmsKeyId: kmsKey(environment, sse),
    storageClass: storageClass(environment),
    expectedBucketOwner: shaped(environment, 'MODEL_PREFETCH_S3_EXPECTED_BUCKET_OWNER', {
      shape: /^\d{12}$/,
      expected: 'the 12 digits of an AWS account',
    }),
    requestPayer: oneOf(environment, 'MODEL_PREFETCH_S3_REQUEST_PAYER', ['requester'] as const),
  });
}

function kmsKey(environment: Environment, sse: S3Settings['sse']): string | undefined {
  const name = 'MODEL_PREFETCH_S3_SSE_KMS_KEY_ID';
  const expected = 'the ID, ARN or alias of a key';
  const key = shaped(environment, name, { shape: /^[\w:/+=,.@-]{1,2048}$/, expected });
  if (key === undefined || sse?.startsWith('aws:kms') === true) return key;
  throw invalid(name, 'MODEL_PREFETCH_S3_SSE to be "aws:kms" or "aws:kms:dsse" beside it');
}

/** Everything is read back before it is visible: what goes to cold storage at once never would be. */
function storageClass(environment: Environment): string | undefined {
  const name = 'MODEL_PREFETCH_S3_STORAGE_CLASS';
  const expected = 'a storage class such as "INTELLIGENT_TIERING"';
  const found = shaped(environment, name, { shape: /^[A-Za-z][A-Za-z0-9_-]{0,63}$/, expected });
  if (found === undefined || !/^(?:GLACIER|(?:DEEP|COLD|DEEP_?COLD)_?ARCHIVE)$/i.test(found)) return found;
  throw invalid(
    name,
    'a class whose objects can be read at once, such as "GLACIER_IR": each is read back and verified'
  );
}

function oneOf<T extends string>(environment: Environment, name: string, values: readonly T[]): T | undefined {
  const value = environment[name];
  if (!value) return undefined;
  const found = values.find((each) => each === value);
  if (found !== undefined) return found;
  throw invalid(name, values.map((each) => JSON.stringify(each)).join(' or '));
}

function shaped(
  environment: Environment,
  name: string,
  { shape, expected }: { readonly shape: RegExp; readonly expected: string }
): string | undefined {
  const value = environment[name];
  if (!value) return undefined;
  if (!shape.test(value)) throw invalid(name, expected);
  return value;
}
