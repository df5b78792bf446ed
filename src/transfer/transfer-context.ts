import type { KnownSource } from '../core/byte-source.js';
import type { ObjectStore } from '../storage/object-store.js';
import type { KeyLock } from '../tasks/key-lock.js';
import type { Permits } from '../tasks/permits.js';
import type { Policies } from './budget/policies.js';
import type { SlabPool } from './budget/slab-pool.js';

/** What all transfers of one process share. */
export interface TransferContext {
  readonly partSizeBytes: number;
  readonly lanes: number;
  readonly policies: Policies;
  readonly memory: SlabPool;
  readonly getLanes: Permits;
  readonly putLanes: Permits;
  /** Files that are moved whole at any time. */
  readonly wholeFiles: Permits;
  /**
   * One transfer at a time for each object. Runs with different IDs may bring the same Dir, and an attempt that was given up
   * may still be at work: who comes second waits, and finds what the first one brought.
   */
  readonly keyLock: KeyLock;
  /** One part of a model is sharded at a time: it takes memory for all ranks at once. */
  readonly shardTurn: Permits;
}

/** One file on its way to one key. */
export interface TransferRequest {
  readonly source: KnownSource;
  readonly store: ObjectStore;
  readonly key: string;
  /** Whether an object that is there already is read back and kept when it is right, or replaced unseen. */
  readonly trust: 'verify-existing' | 'replace';
  /** The model that the file is of: models share lanes and memory evenly. Default: the folder of the key. */
  readonly model?: string;
}

/** How far a file is. */
export interface TransferProgress {
  /** Bytes that are in the store. */
  readonly bytesDone: number;
  /** Bytes that came from the source, those fetched again counted again. */
  readonly fetchedBytes: number;
  /** Of `bytesDone`, those that lay in the store when this transfer began. Default: none. */
  readonly foundBytes?: number;
}

/** A file that is in the store, every byte of it checked against its digest. */
export interface TransferResult {
  readonly etag: string;
  readonly size: number;
  readonly fetchedBytes: number;
  readonly how: 'fetched' | 'resumed' | 'found';
}

/** How a transfer is watched and ended. */
export interface TransferOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: TransferProgress) => void;
}
