/** Settings on top of the standard AWS environment and profiles, which the AWS SDK reads by itself. */
export interface S3Options {
  /** URL of an S3-compatible store; default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or AWS itself. */
  readonly endpoint?: string;
  /** Bucket in the path instead of the host name; default: true for every endpoint that is not AWS. */
  readonly forcePathStyle?: boolean;
  readonly region?: string;
  /** Profile of the shared AWS configuration; default: AWS_PROFILE. */
  readonly profile?: string;
  /** Fixed keys, for tests and embedders; default: the SDK's own chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Longest time without a byte before a request is given up; default 30 s. */
  readonly stallMs?: number;
}
