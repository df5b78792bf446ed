/**
 * Where bytes are read from or written to over HTTP. The URL or the headers may be signed:
 * a target never reaches a log, an error, a heartbeat or a history.
 */
export interface HttpTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Half-open range of bytes: `start` is in it, `end` is not. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}
