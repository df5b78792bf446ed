import type { ByteRange, HttpTarget } from '../core/byte-source.js';
import type { HttpAnswer } from '../core/http-answer.js';

/**
 * The port that every backend implements. It is a contract between backends and this package, the minimum that
 * the engine needs: one method per operation, options last. What a backend cannot do is a value of `capabilities()`, never a
 * missing method; `takeOver` alone is left out by those that need none. Keys are relative to the root, have no leading slash, and are any
 * Unicode text without control characters. All failures are `PrefetchError`s with a store code.
 *
 * The engine moves bytes and nothing else: it sends them to a target, or reads them there, and hands the answer to the
 * store, which alone knows what its status, headers and body mean.
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
  /**
   * Writes a small object: readers see the old bytes or the new ones, never a part. `ifAbsent` only where nothing has the
   * key yet (`ObjectExists` otherwise), `ifMatch` only over the object with this etag (`StoreConflict` otherwise). Each is
   * asked for only where the store can: `putIfAbsent`, `putIfMatch`.
   */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo>;
  /** All objects under a prefix, in key order. */
  list(prefix: string, options?: RequestOptions): AsyncIterable<ObjectInfo>;
  /** Names of the folders directly under a prefix (which ends in "/" or is empty), without slashes. */
  listFolders(prefix: string, options?: RequestOptions): AsyncIterable<string>;
  /** Removes an object; one that is not there is no error. */
  delete(key: string, options?: RequestOptions): Promise<void>;
  /** Removes many objects with as few requests as the store needs; those that are not there are no error. */
  deleteMany(keys: readonly string[], options?: RequestOptions): Promise<void>;
  /**
   * Copies inside the store. `ifMatch` is the etag that the source must still have (`StoreConflict` otherwise). With
   * `ifAbsent` only where nothing has the key yet: `ObjectExists` otherwise; asked for only where `conditionalComplete`.
   */
  copy(from: string, to: string, options?: CopyOptions): Promise<ObjectInfo>;

  /** Starts a multipart upload; `size` is that of the whole object. State lives in the store, the result is plain data. */
  createUpload(key: string, options: CreateUploadOptions): Promise<Upload>;
  /** Unfinished uploads of exactly this key that may be taken up again, newest first. */
  findUploads(key: string, options?: RequestOptions): Promise<Upload[]>;
  /** Unfinished uploads of all keys under a prefix, in no order; all of them only where `listsUploads`. */
  listUploads(prefix: string, options?: RequestOptions): AsyncIterable<ListedUpload>;
  /**
   * Makes an upload that was found ours alone, where a writer that nobody heard of for a while could still change its
   * bytes, even when they are an object already; the result is the upload to go on with, and the other one may stay.
   * `UploadNotFound` when it is gone. Left out by stores whose parts are named by their content when they are completed:
   * there a late part makes the completion fail.
   */
  takeOver?(upload: Upload, options?: RequestOptions): Promise<Upload>;
  /** Parts that the store holds for an upload, in order; `UploadNotFound` when it is gone, where it can tell (`uploadIds`). */
  listParts(upload: Upload, options?: RequestOptions): Promise<Receipt[]>;
  /** Where the engine puts the bytes of a part. Sending a part again replaces it. */
  partTarget(upload: Upload, part: PartDescription, options?: RequestOptions): Promise<PartTarget>;
  /**
   * Judges what the target of a part answered: gives the receipt, or fails as the answer says. There is no answer where the
   * target is a file: its bytes are written then. `StoreAccessDenied` for what a fresh signature may heal too: the engine
   * asks for another target and tries again before that is the end, here and below.
   */
  confirmPart(
    upload: Upload,
    part: PartDescription,
    answer: HttpAnswer | undefined,
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
   * Where the engine writes a whole object with one request, for stores without multipart. `StreamingUnsupported` where
   * multipart is always there (the local store), or the object is too big for it.
   */
  objectTarget(key: string, object: ObjectDescription, options?: RequestOptions): Promise<HttpTarget>;
  /** Judges what the target of a whole object answered: gives the object, or fails as the answer says. */
  confirmObject(
    key: string,
    object: ObjectDescription,
    answer: HttpAnswer,
    options?: RequestOptions
  ): Promise<ObjectInfo>;

  /** Where the engine reads the bytes of an object, for checks and for sharding. */
  readTarget(key: string, options?: RequestOptions): Promise<ReadTarget>;
  /**
   * What went wrong with a read: `failure` is the answer of the target where it is no bytes, or the error that the read
   * ended with. The result is to be thrown; what is no matter of the store comes back as it is.
   */
  readFailure(failure: HttpAnswer | Error, key: string, options?: RequestOptions): Promise<Error>;

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
  /** `ifAbsent` on completeUpload and copy is honoured. */
  readonly conditionalComplete: boolean;
  /** `ifAbsent` on put is honoured. */
  readonly putIfAbsent: boolean;
  /** `ifMatch` on put is honoured. */
  readonly putIfMatch: boolean;
  /** The store checks the CRC32 of each part. */
  readonly partChecksums: boolean;
  /** All parts of an upload but the last must have one size. */
  readonly equalParts: boolean;
  /**
   * Uploads have ids that the store gives: several of one key lie side by side, and each is completed or aborted for itself.
   * False where a key has but one set of unfinished parts: completing it ends whatever else was sent to the key, and what is
   * aborted may be listed until the store forgets it.
   */
  readonly uploadIds: boolean;
  /** `listUploads` knows the uploads of a whole prefix; elsewhere `findUploads` of a key is all there is. */
  readonly listsUploads: boolean;
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
  readonly ifAbsent?: boolean;
  readonly ifMatch?: string;
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

/** An unfinished upload, as the store lists it. */
export interface ListedUpload extends Upload {
  /** When it was begun, in milliseconds since the epoch. */
  readonly startedMs: number;
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
  /** How the store names the part when it is completed. */
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

export type { ByteRange, HttpAnswer, HttpTarget };
