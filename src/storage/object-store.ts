import type { ByteRange, HttpTarget } from '../core/byte-source.js';

/**
 * The port that every backend implements. It is a contract between backends and this package, the minimum that
 * the engine needs: one method per operation, options last, nothing optional. What a backend cannot do is a value of
 * `capabilities()`, never a missing method. Keys are relative to the root, have no leading slash, and are any
 * Unicode text without control characters. All failures are `PrefetchError`s with a store code.
 */
export interface ObjectStore {
  /** Percent-encoded URL of the root, ending in "/": `s3://bucket/models/`, `file:///data/models/`. */
  readonly root: string;

  /** What this store can do. Found by asking the store at first use, then remembered. */
  capabilities(options?: RequestOptions): Promise<StoreCapabilities>;

  /**
   * Fails as `BucketNotFound`, `StoreAccessDenied`, `StoreCredentialsMissing` when nothing could be written, and as
   * `DiskFull` when less than `bytes` are free, where that can be known.
   */
  checkWritable(options?: RequestOptions & { readonly bytes?: number }): Promise<void>;

  /** Facts of one object, or undefined when there is none. */
  head(key: string, options?: RequestOptions): Promise<ObjectInfo | undefined>;
  /** A small object whole, or undefined when there is none. */
  get(key: string, options?: RequestOptions): Promise<Uint8Array | undefined>;
  /** Writes a small object: readers see the old bytes or the new ones, never a part. */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo>;
  /** All objects under a prefix, in key order. */
  list(prefix: string, options?: RequestOptions): AsyncIterable<ObjectInfo>;
  /** Names of the folders directly under a prefix (which ends in "/" or is empty), without slashes. */
  listFolders(prefix: string, options?: RequestOptions): AsyncIterable<string>;
  /** Removes an object; one that is not there is no error. */
  delete(key: string, options?: RequestOptions): Promise<void>;
  /**
   * Copies inside the store. `ifMatch` is the etag that the source must still have (`StoreConflict` otherwise). With
   * `ifAbsent` only where nothing has the key yet: `ObjectExists` otherwise; asked for only where `conditionalComplete`.
   */
  copy(from: string, to: string, options?: CopyOptions): Promise<ObjectInfo>;

  /** Starts a multipart upload; `size` is that of the whole object. State lives in the store, the result is plain data. */
  createUpload(key: string, options: CreateUploadOptions): Promise<Upload>;
  /** Unfinished uploads of exactly this key that may be taken up again, newest first. */
  findUploads(key: string, options?: RequestOptions): Promise<Upload[]>;
  /**
   * Makes an upload that was found ours alone, where a writer that nobody heard of for a while could still change its
   * bytes, even when they are an object already; the result is the upload to go on with, and the other one may stay.
   * `UploadNotFound` when it is gone. Left out by stores whose parts are named by their content when they are completed:
   * there a late part makes the completion fail.
   */
  takeOver?(upload: Upload, options?: RequestOptions): Promise<Upload>;
  /** Parts that the store holds for an upload, in order; `UploadNotFound` when it is gone. */
  listParts(upload: Upload, options?: RequestOptions): Promise<Receipt[]>;
  /** Where the engine puts the bytes of a part. Sending a part again replaces it. */
  partTarget(upload: Upload, part: PartDescription, options?: RequestOptions): Promise<PartTarget>;
  /** Tells the store that the bytes of a part arrived, and gives its receipt. `etag` is the one of the HTTP answer. */
  confirmPart(
    upload: Upload,
    part: PartDescription,
    etag: string | undefined,
    options?: RequestOptions
  ): Promise<Receipt>;
  /**
   * Makes the object visible, atomically. Only the engine's finaliser calls this. `UploadNotFound` when the upload is gone,
   * also where an earlier call completed it and its answer was lost: the caller looks at the object then, for it may be
   * anybody's. The etag is that of the object that this call made.
   */
  completeUpload(upload: Upload, parts: readonly Receipt[], options: CompleteOptions): Promise<ObjectInfo>;
  /** Gives up an upload and its parts; one that is not there is no error. */
  abortUpload(upload: Upload, options?: RequestOptions): Promise<void>;

  /**
   * Where the engine writes a whole object with one request (answered with 200 and an `ETag`), for stores without
   * multipart. `StreamingUnsupported` where multipart is always there (the local store), or the object is too big for it.
   */
  objectTarget(key: string, object: ObjectDescription, options?: RequestOptions): Promise<HttpTarget>;

  /** Where the engine reads the bytes of an object, for checks and for sharding. */
  readTarget(key: string, options?: RequestOptions): Promise<ReadTarget>;

  /** Asks for credentials anew, where targets were refused because those they are signed with have ended. */
  renewCredentials?(): Promise<void>;

  /** Frees sockets. The store is not used afterwards. */
  close(): Promise<void>;
}

/** What every request to a store takes: it ends when the signal aborts. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
}

/** What a store can do, as `capabilities()` found it out; sizes are in bytes. */
export interface StoreCapabilities {
  /** Parts in any order, listed and sent again: what streaming and resuming need. */
  readonly multipart: boolean;
  /** `ifAbsent` on completeUpload is honoured. */
  readonly conditionalComplete: boolean;
  /** The store checks the CRC32 of each part. */
  readonly partChecksums: boolean;
  readonly minPartSize: number;
  readonly maxPartSize: number;
  readonly maxParts: number;
}

/** An object as a listing or a HEAD tells it. */
export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Opaque id of this content at this key; changes when the object is replaced. Never an MD5 to rely on. */
  readonly etag: string;
  /** The bytes lie somewhere else and only seem to be here, as by a symbolic link: good to read, never to be published. */
  readonly borrowed?: true;
}

/** `ifMatch` is the etag that the source must have; `ifAbsent` wants no object at the new key. */
export interface CopyOptions extends RequestOptions {
  readonly ifMatch?: string;
  readonly ifAbsent?: boolean;
}

/** How a small object is written. */
export interface PutOptions extends RequestOptions {
  readonly contentType?: string;
}

/** The sizes that are fixed when an upload begins. */
export interface CreateUploadOptions extends RequestOptions {
  /** Bytes of the whole object. */
  readonly size: number;
  /** Bytes of every part but the last. */
  readonly partSize: number;
}

/** A multipart upload as plain data: it outlives the process that started it. */
export interface Upload {
  readonly key: string;
  readonly id: string;
}

/** Where a part lies in the object, and what its bytes come to. */
export interface PartDescription {
  /** From 1. */
  readonly partNumber: number;
  /** Position of the part in the object, in bytes. */
  readonly position: number;
  /** Bytes. */
  readonly size: number;
  /** CRC32 (zlib) of the bytes, where it is known before they are sent. */
  readonly crc32?: number;
}

/** What the store says of a part that it holds; completing an upload needs one for each part. */
export interface Receipt {
  readonly partNumber: number;
  readonly size: number;
  readonly etag: string;
  readonly crc32?: number;
}

/** What the whole object must come to. */
export interface CompleteOptions extends RequestOptions {
  readonly size: number;
  /** CRC32 of the whole object, where it is known. */
  readonly crc32?: number;
  /**
   * Only where nothing has the key yet: `ObjectExists` otherwise, and the upload is still there. A store that cannot tell
   * (`conditionalComplete`) completes it all the same.
   */
  readonly ifAbsent?: boolean;
}

/** What the bytes of a whole object come to. */
export interface ObjectDescription {
  /** Bytes. */
  readonly size: number;
  /** CRC32 (zlib) of the bytes, where it is known before they are sent. */
  readonly crc32?: number;
}

/** Where bytes go: the engine moves them, the store only says where. */
export type PartTarget =
  | ({ readonly kind: 'http' } & HttpTarget)
  | { readonly kind: 'file'; readonly path: string; readonly position: number };

/** Where a reader finds the bytes: by ranged GET, or in a file of this machine. */
export type ReadTarget = ({ readonly kind: 'http' } & HttpTarget) | { readonly kind: 'file'; readonly path: string };

export type { ByteRange, HttpTarget };
