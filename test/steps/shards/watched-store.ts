import type { ObjectStore } from '../../../src/storage/object-store.js';

/** What a store is asked for, and what happens just before it does it. */
export interface Moments {
  /** `put KEY`, `delete KEY`, `copy KEY`, `read KEY`, `complete KEY`, and `part KEY` for each upload part. */
  readonly calls: string[];
  before?: (call: string) => void | Promise<void>;
}

/** The same store, whose calls are written down. */
export function watched(store: ObjectStore, moments: Moments): ObjectStore {
  const note = async (call: string): Promise<void> => {
    moments.calls.push(call);
    await moments.before?.(call);
  };
  return {
    ...store,
    put: async (key, ...rest) => {
      await note(`put ${key}`);
      return store.put(key, ...rest);
    },
    delete: async (key, ...rest) => {
      await note(`delete ${key}`);
      return store.delete(key, ...rest);
    },
    // One after the other, so that something can happen in between.
    deleteMany: async (keys, ...rest) => {
      for (const key of keys) {
        await note(`delete ${key}`);
        await store.delete(key, ...rest);
      }
    },
    copy: async (from, to, ...rest) => {
      await note(`copy ${to}`);
      return store.copy(from, to, ...rest);
    },
    readTarget: async (key, ...rest) => {
      await note(`read ${key}`);
      return store.readTarget(key, ...rest);
    },
    partTarget: async (upload, ...rest) => {
      await note(`part ${upload.key}`);
      return store.partTarget(upload, ...rest);
    },
    completeUpload: async (upload, ...rest) => {
      await note(`complete ${upload.key}`);
      return store.completeUpload(upload, ...rest);
    },
  };
}

/** Does something once, before the call of this number that fits. */
export function atCall(pattern: RegExp, happens: () => unknown, number = 1): NonNullable<Moments['before']> {
  let passed = 0;
  return async (call) => {
    if (pattern.test(call) && ++passed === number) await happens();
  };
}
