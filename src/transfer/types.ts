import type { Digest } from '../core/digest.js';
import type { FileLocation } from '../hub/hub.js';

/** A file to fetch: how big it is, what its bytes must come to, and where ranges of it can be read. */
export interface RangeSource {
  /** For messages: the path in the repo. */
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
  /** A location that is good now; `stale` is one that the CDN refused, so that a new one is asked for, once. */
  locate(options: { readonly signal: AbortSignal; readonly stale?: FileLocation }): Promise<FileLocation>;
  /** The whole file in one request, for small ones. */
  readWhole(options: { readonly signal: AbortSignal }): Promise<Uint8Array>;
}
