import { withoutControls } from './control-characters.js';
import { withoutSecrets } from './foreign-text.js';

/**
 * Every failure this package reports, by a code that never changes.
 * `permanent` means that trying again cannot help: a person or another input has to.
 */
const definitions = {
  // The request
  InvalidInput: { permanent: true },
  UnsupportedSharding: { permanent: true },
  DestinationNotAllowed: { permanent: true },
  TokenNotAllowed: { permanent: true },
  TokenNotFound: { permanent: true },
  // The Hub
  RepoNotFound: { permanent: true },
  GatedRepo: { permanent: true },
  RevisionNotFound: { permanent: true },
  EntryNotFound: { permanent: true },
  InvalidToken: { permanent: true },
  DisabledRepo: { permanent: true },
  UnsafePath: { permanent: true },
  NothingSelected: { permanent: true },
  RateLimited: { permanent: false },
  HubUnavailable: { permanent: false },
  HubProtocol: { permanent: true },
  // The network on the way to all of them
  ProxyRefused: { permanent: true },
  // The bytes
  DigestMismatch: { permanent: true },
  TruncatedSource: { permanent: false },
  SourceStalled: { permanent: false },
  SourceUnavailable: { permanent: false },
  StreamingUnsupported: { permanent: true },
  InvalidSafetensors: { permanent: true },
  IncompleteCheckpoint: { permanent: true },
  ShardMismatch: { permanent: true },
  DirNotIntact: { permanent: true },
  ManifestUnreadable: { permanent: true },
  // The store
  UnsupportedStore: { permanent: true },
  BucketNotFound: { permanent: true },
  StoreAccessDenied: { permanent: true },
  StoreCredentialsMissing: { permanent: true },
  StoreRefused: { permanent: true },
  StorageFull: { permanent: true },
  ObjectTooLarge: { permanent: true },
  ObjectArchived: { permanent: true },
  EncryptionKeyRefused: { permanent: true },
  StoreConflict: { permanent: false },
  StoreUnavailable: { permanent: false },
  UploadNotFound: { permanent: false },
  ObjectNotFound: { permanent: false },
  ObjectExists: { permanent: true },
  ObjectChanged: { permanent: true },
  DiskFull: { permanent: true },
  // vLLM, and the machine that it shards on
  InsufficientResources: { permanent: false },
  VllmUnavailable: { permanent: true },
  VllmVersionMismatch: { permanent: true },
  VllmFailed: { permanent: false },
  ShardsIncomplete: { permanent: true },
  // Temporal and the machine around it
  NoWorkers: { permanent: true },
  ServerUnavailable: { permanent: false },
  NamespaceNotFound: { permanent: true },
  TemporalAccessDenied: { permanent: true },
  TemporalCliNotFound: { permanent: true },
  HomeBusy: { permanent: true },
  WorkflowNotFound: { permanent: true },
  InputNotDecoded: { permanent: true },
  ResultNotDecoded: { permanent: true },
  Cancelled: { permanent: true },
  TimedOut: { permanent: false },
  Internal: { permanent: false },
} as const satisfies Record<string, { permanent: boolean }>;

/** Codes never change, for scripts and other SDKs tell failures apart by them. */
export type ErrorCode = keyof typeof definitions;

/** Values that a program can act on; they go over the wire, and secrets are cut out of them. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** What an error has besides its code and its text. */
export interface PrefetchErrorOptions {
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
  /** How long the other side asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * The one error class of this package. `message` is `Code: text`, so that the code stays in every log and history.
 * It has no control characters but line breaks: names of tensors and the like stand in it, and go to terminals.
 * Neither `text` nor `details` hold a token or a signed query: text of others may stand in them, so both are cleaned.
 */
export class PrefetchError extends Error {
  override readonly name = 'PrefetchError';
  readonly code: ErrorCode;
  /** What people read, without the code. */
  readonly text: string;
  readonly details: ErrorDetails;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, text: string, options: PrefetchErrorOptions = {}) {
    const clean = withoutSecrets(withoutControls(text));
    super(`${code}: ${clean}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.text = clean;
    this.details = cleanDetails(options.details ?? {});
    this.retryAfterMs = options.retryAfterMs;
  }

  get permanent(): boolean {
    return definitions[this.code].permanent;
  }
}

/** A failure in other words, or under another code: its details and how long to wait stay, and it becomes the cause. */
export function rewrap(
  error: PrefetchError,
  {
    code = error.code,
    text,
    details,
  }: { readonly code?: ErrorCode; readonly text: string; readonly details?: ErrorDetails }
): PrefetchError {
  const { retryAfterMs } = error;
  return new PrefetchError(code, text, {
    details: { ...error.details, ...details },
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function cleanDetails(details: ErrorDetails): ErrorDetails {
  const clean = Object.entries(details).map(([name, value]): [string, ErrorDetails[string]] => {
    if (typeof value === 'string') return [name, withoutSecrets(value)];
    return [name, typeof value === 'object' ? value.map(withoutSecrets) : value];
  });
  return Object.fromEntries(clean);
}

/** True where trying again without a change of input or set-up cannot help. */
export function isPermanent(code: ErrorCode): boolean {
  return definitions[code].permanent;
}

/** Tells one of our codes from the type of any other failure that came over the wire. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(definitions, value);
}

/** True for an error of ours, and of that code where one is given. */
export function isPrefetchError(error: unknown, code?: ErrorCode): error is PrefetchError {
  return error instanceof PrefetchError && (code === undefined || error.code === code);
}
