/** Where the bucket stands in the address of a request; `auto` finds out. */
export type AddressingStyle = 'auto' | 'path' | 'virtual';

/** How a bucket is written and read, as the flags of `aws s3` of the same names say. */
export interface S3RequestOptions {
  /** Encryption at rest; default: that of the bucket. */
  readonly sse?: 'AES256' | 'aws:kms' | 'aws:kms:dsse';
  readonly sseKmsKeyId?: string;
  readonly storageClass?: string;
  /** Account that must own the bucket. */
  readonly expectedBucketOwner?: string;
  /** Who asks pays, where the bucket wants it so. */
  readonly requestPayer?: 'requester';
}

/** Settings on top of the standard AWS environment and profiles, which are read as the AWS CLI reads them. */
export interface S3Options extends S3RequestOptions {
  /** URL of an S3-compatible store; default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile, or AWS itself. */
  readonly endpoint?: string;
  /** Default: what the profile says, or `auto`: in the host name at AWS and where a store takes nothing else. */
  readonly addressingStyle?: AddressingStyle;
  /** The same by its older name: true for `path`, false for `virtual`. */
  readonly forcePathStyle?: boolean;
  /** Default: AWS_REGION, AWS_DEFAULT_REGION, the profile; where the store names another one, that is used. */
  readonly region?: string;
  /** Profile of the shared AWS configuration; default: AWS_PROFILE. */
  readonly profile?: string;
  /** Fixed keys, for tests and embedders; default: the SDK's own chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Longest time without a byte before a request is given up; default 30 s. */
  readonly stallMs?: number;
}
