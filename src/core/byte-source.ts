import type { Digest } from './digest.js';
import type { HttpAnswer } from './http-answer.js';

/** Half-open range of bytes: `start` is in it, `end` is not. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Where bytes are read from or written to over HTTP. The URL or the headers may be signed:
 * a target never reaches a log, an error, a heartbeat or a history.
 */
export interface HttpTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Certificates (PEM) of further authorities that are trusted for it. */
  readonly ca?: string;
}

/** Where ranges can be read for a while: plain data, which any thread can use. */
export interface ByteLocation extends HttpTarget {
  /** Milliseconds since the epoch after which the location must not be used any more. */
  readonly expiresAt: number;
}

/** How a range is read. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Counts bytes as they come; those that come again are counted again. */
  readonly onBytes?: (count: number) => void;
  /** Runs the waits between tries, so that a lane is not held by somebody who only waits. */
  readonly giveWay?: ((wait: () => Promise<void>) => Promise<void>) | undefined;
}

/** A file whose bytes can be had range by range, wherever it lies: on the Hub, in a store, on this disk. */
export interface ByteSource {
  /** For messages: the path in the repo, the key, the name. */
  readonly path: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** What the bytes of the whole file come to, where that is known. */
  readonly digest?: Digest;
  /** Fills memory with one range, exactly, or fails. Tries again by itself on failures that may pass. */
  read(range: ByteRange, into: Uint8Array, options: ReadOptions): Promise<void>;
  /** The whole file in one request, for small ones. */
  readWhole(options: Pick<ReadOptions, 'signal'>): Promise<Uint8Array>;
}

/** A source that says what its bytes must come to. */
export interface KnownSource extends ByteSource {
  readonly digest: Digest;
}

/** A source that can also say where its ranges are. */
export interface LocatedSource extends KnownSource {
  /** A location that is good now; `stale` is one that was refused, so that a new one is asked for, once. */
  locate(options: LocateOptions): Promise<ByteLocation>;
  /** What it means that a location gave no bytes, where the source knows more than the status tells. */
  judge?(answer: HttpAnswer): Promise<Error>;
}

/** How a location is asked for. */
export interface LocateOptions {
  readonly signal: AbortSignal;
  readonly stale?: ByteLocation;
}
