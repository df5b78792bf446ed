import type { ObjectStore } from '../storage/object-store.js';

/** Where a Dir lies. */
export interface DirPlace {
  readonly store: ObjectStore;
  /** What the keys of its objects begin with: ends in "/", or is empty where the root of the store is the Dir. */
  readonly dirKey: string;
}
