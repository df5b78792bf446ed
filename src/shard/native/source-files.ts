import type { ObjectStore } from '../../storage/object-store.js';
import { openObject, type ObjectReader } from '../../transfer/read-object.js';
import { patienceOf } from '../../transfer/policies.js';
import type { TransferContext } from '../../transfer/transfer-context.js';

/** Objects of a store that are read range by range, over the GET lanes of this process. */
export interface RangeReader {
  read(file: number, range: ByteSpan, into: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Bytes that came from the store so far. */
  readonly bytesRead: number;
  close(): Promise<void>;
}

/** Bytes of a file, `[begin, end)`. */
export interface ByteSpan {
  readonly begin: number;
  readonly end: number;
}

/** Opens objects for reading; their order gives them their numbers. */
export function openRangeReader(
  { policies, getLanes }: Pick<TransferContext, 'policies' | 'getLanes'>,
  store: ObjectStore,
  objects: readonly { readonly key: string; readonly size: number }[]
): RangeReader {
  const opened = new Map<number, ObjectReader>();
  let bytesRead = 0;

  function openOnce(file: number): ObjectReader {
    const object = objects[file];
    if (object === undefined) throw new Error(`There is no object ${file}`);
    const reader = opened.get(file) ?? openObject(store, object, { ...policies.get, ...patienceOf(policies) });
    opened.set(file, reader);
    return reader;
  }

  return {
    get bytesRead() {
      return bytesRead;
    },
    async read(file, { begin, end }, into, { signal }) {
      if (begin === end) return;
      const release = await getLanes.acquire(1, { signal });
      try {
        await openOnce(file).read({ start: begin, end }, into.subarray(0, end - begin), {
          signal,
          onBytes: () => undefined,
        });
        bytesRead += end - begin;
      } finally {
        release();
      }
    },
    async close() {
      for (const reader of opened.values()) await reader.close();
    },
  };
}
