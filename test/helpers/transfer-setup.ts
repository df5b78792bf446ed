import { randomBytes } from 'node:crypto';
import {
  createEngine,
  type EngineSettings,
  type TransferEngine,
  type TransferRequest,
} from '../../src/transfer/engine.js';
import { closeIdleSockets } from '../../src/http/agents.js';
import { startMemoryStore, type MemoryStore } from './memory-store.js';
import { quickPolicies } from './quick-policies.js';
import { serveSource, type TestSource, type TestSourceOptions } from './test-source.js';
import type { StoreCapabilities } from '../../src/storage/object-store.js';

export { quickPolicies };

export const partSize = 100_000;

/** Servers and engines of one test file, and their end. */
export interface TransferSetup {
  engine(change?: Partial<EngineSettings>): TransferEngine;
  source(bytes: Uint8Array, options?: TestSourceOptions): Promise<TestSource>;
  store(change?: Partial<StoreCapabilities>): Promise<MemoryStore>;
  /** A source and a store for the same bytes, as a request. */
  request(
    bytes: Uint8Array,
    options?: TestSourceOptions
  ): Promise<TransferRequest & { readonly source: TestSource; readonly store: MemoryStore }>;
  end(): Promise<void>;
}

export function setUpTransfers(): TransferSetup {
  const open: { close(): Promise<void> }[] = [];
  const setup: TransferSetup = {
    engine: (change) =>
      createEngine({
        partSizeBytes: partSize,
        lanes: 4,
        memoryBytes: 10 * partSize,
        policies: quickPolicies,
        ...change,
      }),
    source: async (bytes, options) => {
      const source = await serveSource(bytes, options);
      open.push(source);
      return source;
    },
    store: async (change) => {
      const store = await startMemoryStore(change);
      open.push(store);
      return store;
    },
    request: async (bytes, options) => ({
      source: await setup.source(bytes, options),
      store: await setup.store(),
      key: 'dir/weights.bin',
      trust: 'verify-existing',
    }),
    end: async () => {
      closeIdleSockets();
      await Promise.all(open.splice(0).map((server) => server.close()));
    },
  };
  return setup;
}

/** Bytes that no two parts share. */
export function bytesOf(size: number): Buffer {
  return randomBytes(size);
}

export function live(): { readonly signal: AbortSignal } {
  return { signal: new AbortController().signal };
}

/** The failure of something that must fail. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('It did not fail.');
    },
    (error: unknown) => error
  );
}
