/** What an {@link Intercept} is told about a request. */
export interface InterceptedRequest {
  readonly origin: 'hub' | 'cdn';
  readonly method: string;
  /** Decoded, without the query. On the CDN: `/<repo>/<commit>/<path>`. */
  readonly path: string;
  readonly range: string | undefined;
  /** How many requests of this origin, method and path have come, this one included. */
  readonly count: number;
}

/** Looks at every request before it is answered: a fault changes the answer, `undefined` leaves it right. */
export type Intercept = (request: InterceptedRequest) => Fault | undefined | Promise<Fault | undefined>;

/** One way to go wrong; the parts can be combined. */
export interface Fault {
  /** Says nothing until the client goes away, or cuts the connection at once. */
  readonly instead?: 'hang' | 'reset';
  /** Sent in place of the right answer. */
  readonly answer?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  /** Answers as if the request had no Range. */
  readonly ignoreRange?: boolean;
  /** Changes the head of the answer. */
  readonly headers?: (headers: Readonly<Record<string, string>>) => Readonly<Record<string, string>>;
  /**
   * Changes the body. A chunk is valid until the next is asked for and belongs to the file: copy it to change it.
   * Ending before Content-Length closes the connection (FIN), throwing resets it (RST).
   */
  readonly body?: (chunks: BodyChunks, context: BodyContext) => BodyChunks;
}

/** The body of an answer; a chunk is valid until the next is asked for. */
export type BodyChunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** What a fault may need to know to change a body. */
export interface BodyContext {
  /** Position in the file of the first byte of this body. */
  readonly start: number;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}
