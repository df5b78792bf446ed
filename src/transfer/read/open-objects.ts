import type { ByteSource } from '../../core/byte-source.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { readPolicy } from '../budget/policies.js';
import type { TransferContext } from '../transfer-context.js';
import { openObject } from './object-source.js';

/** Objects of a store, in the order in which they were asked for. */
export interface OpenedObjects {
  readonly sources: readonly ByteSource[];
  close(): Promise<void>;
}

/** Opens objects for reads over the GET lanes of this process. */
export function openObjects(
  { policies, getLanes }: Pick<TransferContext, 'policies' | 'getLanes'>,
  store: ObjectStore,
  objects: readonly { readonly key: string; readonly size: number }[]
): OpenedObjects {
  const opened = objects.map((object) => openObject(store, object, readPolicy(policies)));
  return {
    sources: opened.map((source) => overLanes(source, getLanes)),
    close: async () => {
      for (const source of opened) await source.close();
    },
  };
}

/** The same source, each read of which takes a lane. */
function overLanes(source: ByteSource, lanes: TransferContext['getLanes']): ByteSource {
  const inLane = async <T>(options: { readonly signal: AbortSignal }, read: () => Promise<T>): Promise<T> => {
    const release = await lanes.acquire(1, options);
    try {
      return await read();
    } finally {
      release();
    }
  };
  return {
    ...source,
    read: async (range, into, options) => {
      if (range.start === range.end) return;
      await inLane(options, () => source.read(range, into.subarray(0, range.end - range.start), options));
    },
    readWhole: (options) => inLane(options, () => source.readWhole(options)),
  };
}
