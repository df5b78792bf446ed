import type { BodyChunks } from './fault.js';

/** The bytes of a file, wherever they are. */
export interface Content {
  readonly size: number;
  /** Equal keys mean equal bytes, between runs too; `undefined` where hashing again is cheaper than remembering. */
  readonly key: string | undefined;
  /** Fails when these are no longer the bytes that were there at start. */
  readonly check: () => Promise<void>;
  /** The bytes of `[start, end)`; a chunk is valid until the next is asked for. */
  readonly chunks: (start: number, end: number) => BodyChunks;
}

/** Bytes at hand as the content of a file. */
export function bytesContent(bytes: Uint8Array): Content {
  return {
    size: bytes.length,
    key: undefined,
    check: () => Promise.resolve(),
    chunks: (start, end) => (end > start ? [bytes.subarray(start, end)] : []),
  };
}
