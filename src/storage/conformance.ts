import { checkAnswers } from './conformance/answers.js';
import { checkListing } from './conformance/listing.js';
import { checkObjects } from './conformance/objects.js';
import { checkUploads } from './conformance/uploads.js';
import type { ObjectStore } from './object-store.js';

/** A fresh, empty store for one test. */
export interface ConformanceStore {
  readonly store: ObjectStore;
  /** A second instance on the same root, as another process would open it. */
  readonly reopen: () => Promise<ObjectStore>;
  /** Removes what the test left; called after the store was closed. */
  readonly cleanup: () => Promise<void>;
}

/** What the suite needs of a test framework; vitest, jest, mocha and node:test all have it. */
export interface ConformanceFramework {
  readonly describe: (title: string, define: () => void) => unknown;
  readonly test: (title: string, run: () => Promise<void>) => unknown;
}

/** Runs a check of the suite on a store of its own. */
export type ConformanceCheck = (title: string, check: (given: ConformanceStore) => Promise<void>) => void;

/**
 * Defines the tests that every backend of the store port passes. It needs no test framework of its own:
 * `describeObjectStore('mine', open, { describe, test })`.
 */
export function describeObjectStore(
  name: string,
  open: () => Promise<ConformanceStore>,
  { describe, test }: ConformanceFramework
): void {
  const check: ConformanceCheck = (title, run) => {
    test(title, async () => {
      const given = await open();
      try {
        await run(given);
      } finally {
        await given.store.close();
        await given.cleanup();
      }
    });
  };
  describe(`${name} conforms to the store port`, () => {
    checkObjects(check);
    checkListing(check);
    checkUploads(check);
    checkAnswers(check);
  });
}
