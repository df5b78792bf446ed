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

/** True where trying again without a change of input or set-up cannot help. */
export function isPermanent(code: ErrorCode): boolean {
  return definitions[code].permanent;
}

/** Tells one of our codes from the type of any other failure that came over the wire. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(definitions, value);
}
