import type { SeededFile } from '../world/hub-bench.js';
import type { StorePlace } from '../world/store-access.js';

/** A Dir that the reader looks at, and the bytes that it is to hold. */
export interface WatchedDir {
  /** Under the root, ending in "/". */
  readonly key: string;
  readonly files: readonly SeededFile[];
}

/** What the reader is told. */
export type ToReader =
  | { readonly kind: 'watch'; readonly place: StorePlace; readonly dirs: readonly WatchedDir[] }
  /** Says when each Dir was read through once more from now on. */
  | { readonly kind: 'look-again' }
  | { readonly kind: 'unwatch' };

/** What the reader says. */
export type FromReader =
  | { readonly kind: 'published'; readonly dir: string }
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'looked' }
  | { readonly kind: 'counts'; readonly counts: ReaderCounts };

export interface ReaderCounts {
  /** Dirs that were read through while one manifest stood. */
  readonly checks: number;
  readonly objects: number;
  readonly bytes: number;
  /** Reads that failed on the way and say nothing. */
  readonly failed: number;
}

/** Something that no reader of a published Dir may ever see. */
export interface Finding {
  readonly kind: 'wrong-object' | 'missing-object' | 'unreadable-manifest' | 'withdrawn-manifest';
  readonly key: string;
  readonly time: string;
  /** First byte that is not what it should be. */
  readonly offset?: number;
  readonly detail: string;
}
