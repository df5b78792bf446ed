import type { S3RequestOptions } from './s3-options.js';

/** What a request does: `create` begins an object (also as an upload), `copy` takes it from another one. */
export type RequestKind = 'create' | 'copy' | 'copy-part' | 'other';

/** The headers of a request that say how a bucket is written and read. */
export function requestHeaders(options: S3RequestOptions, kind: RequestKind): Record<string, string> {
  const { sse, sseKmsKeyId, storageClass, expectedBucketOwner: owner, requestPayer } = options;
  const creates = kind === 'create' || kind === 'copy';
  const copies = kind === 'copy' || kind === 'copy-part';
  return withoutMissing({
    'x-amz-server-side-encryption': creates ? sse : undefined,
    'x-amz-server-side-encryption-aws-kms-key-id': creates ? sseKmsKeyId : undefined,
    'x-amz-storage-class': creates ? storageClass : undefined,
    'x-amz-expected-bucket-owner': owner,
    'x-amz-source-expected-bucket-owner': copies ? owner : undefined,
    'x-amz-request-payer': requestPayer,
  });
}

/** The variables behind the options that are set. */
export function settingsIn(options: S3RequestOptions): string[] {
  const { sse, sseKmsKeyId, storageClass, expectedBucketOwner, requestPayer } = options;
  const variables = {
    MODEL_PREFETCH_S3_SSE: sse,
    MODEL_PREFETCH_S3_SSE_KMS_KEY_ID: sseKmsKeyId,
    MODEL_PREFETCH_S3_STORAGE_CLASS: storageClass,
    MODEL_PREFETCH_S3_EXPECTED_BUCKET_OWNER: expectedBucketOwner,
    MODEL_PREFETCH_S3_REQUEST_PAYER: requestPayer,
  };
  return Object.keys(withoutMissing(variables));
}

/** What a command of the SDK does. */
export function kindOfCommand(name: string | undefined): RequestKind {
  return kinds[name ?? ''] ?? 'other';
}

const kinds: Readonly<Record<string, RequestKind>> = {
  PutObjectCommand: 'create',
  CreateMultipartUploadCommand: 'create',
  CopyObjectCommand: 'copy',
  UploadPartCopyCommand: 'copy-part',
};

function withoutMissing(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  );
}
