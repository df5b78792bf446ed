import type { BodyChunks, Fault, Intercept, InterceptedRequest } from '../../src/dev-hub/index.js';

/** Which requests a fault hits. */
export interface FaultTarget {
  readonly origin?: 'hub' | 'cdn';
  readonly method?: string;
  /** A part of the decoded path, or a pattern for it. */
  readonly path?: string | RegExp;
  /** Only requests with (true) or without (false) a Range. */
  readonly ranged?: boolean;
  /** Lets this many matching requests pass first. Default 0. */
  readonly after?: number;
  /** Hits this many matching requests, then no more. Default 1. */
  readonly first?: number;
}

export interface InjectedFault {
  /** How many requests it has hit. */
  readonly hits: number;
  readonly remove: () => void;
}

/** A fault, or something to do when a matching request comes (which is then answered rightly). */
export type NamedFault = Fault | ((request: InterceptedRequest) => void);

export interface HubFaults {
  /** For the options of `startDevHub`. */
  readonly intercept: Intercept;
  /** Several may be injected; the first that matches hits. */
  readonly inject: (fault: NamedFault, target?: FaultTarget) => InjectedFault;
  readonly clear: () => void;
}

/** Faults of a dev Hub that can be put in and taken out while it runs. */
export function hubFaults(): HubFaults {
  const active = new Set<{ fault: NamedFault; target: FaultTarget; seen: number; hits: number }>();
  return {
    intercept: (request) => {
      for (const entry of active) {
        if (!matches(request, entry.target)) continue;
        entry.seen += 1;
        if (entry.seen <= (entry.target.after ?? 0) || entry.hits >= (entry.target.first ?? 1)) continue;
        entry.hits += 1;
        if (typeof entry.fault !== 'function') return entry.fault;
        entry.fault(request);
      }
      return undefined;
    },
    inject: (fault, target = {}) => {
      const entry = { fault, target, seen: 0, hits: 0 };
      active.add(entry);
      return {
        get hits() {
          return entry.hits;
        },
        remove: () => {
          active.delete(entry);
        },
      };
    },
    clear: () => {
      active.clear();
    },
  };
}

function matches(request: InterceptedRequest, { origin, method, path, ranged }: FaultTarget): boolean {
  return (
    (origin === undefined || request.origin === origin) &&
    (method === undefined || request.method === method) &&
    (path === undefined || (typeof path === 'string' ? request.path.includes(path) : path.test(request.path))) &&
    (ranged === undefined || ranged === (request.range !== undefined))
  );
}

/** 429, and when the window ends. */
export function rateLimited(seconds: number, bucket: 'api' | 'resolvers' = 'resolvers'): Fault {
  return {
    answer: {
      status: 429,
      headers: {
        RateLimit: `"${bucket}";r=0;t=${String(seconds)}`,
        'RateLimit-Policy': `"fixed window";"${bucket}";q=3000;w=300`,
      },
      body: '{"error":"Too many requests"}',
    },
  };
}

/** 500, 502, 503 or 504, with a page as a load balancer sends it. */
export function serverError(status = 503, headers: Readonly<Record<string, string>> = {}): Fault {
  return { answer: { status, headers: { 'Content-Type': 'text/html', ...headers }, body: '<html>error</html>' } };
}

/** What a CDN says to a signed URL that is too old. */
export function expiredUrl(): Fault {
  return {
    answer: {
      status: 403,
      headers: { 'Content-Type': 'application/xml' },
      body: '<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>',
    },
  };
}

/** The head promises all bytes, the connection is closed after this many. */
export function truncated(bytes: number): Fault {
  return { body: (chunks) => firstBytes(chunks, bytes) };
}

/** One wrong bit in the byte at this position of the file; all lengths are right. */
export function flippedBit(position: number): Fault {
  return { body: (chunks, { start }) => withFlippedBit(chunks, position - start) };
}

/** Nothing more comes after this many bytes, and the connection stays open. */
export function stalled(bytes: number): Fault {
  return {
    async *body(chunks, { signal }) {
      yield* firstBytes(chunks, bytes);
      await aborted(signal);
    },
  };
}

/** Not even a head comes. */
export function silent(): Fault {
  return { instead: 'hang' };
}

/** The connection is reset after this many bytes of the body, or before the head. */
export function connectionReset(bytes?: number): Fault {
  if (bytes === undefined) return { instead: 'reset' };
  return {
    async *body(chunks) {
      yield* firstBytes(chunks, bytes);
      throw new Error('Injected: connection reset');
    },
  };
}

/** 200 and the whole file, whatever range was asked for. */
export function ignoredRange(): Fault {
  return { ignoreRange: true };
}

/** 206 with the bytes that were asked for, under a Content-Range that says something else. */
export function wrongContentRange(contentRange: string): Fault {
  return { headers: (headers) => ({ ...headers, 'Content-Range': contentRange }) };
}

/** A redirect that promises another size than the listing. */
export function wrongLinkedSize(size: number): Fault {
  return { headers: (headers) => ({ ...headers, 'X-Linked-Size': String(size) }) };
}

/** Something happens on the Hub between two requests: a branch moves, a repo becomes gated. */
export function meanwhile(happens: () => void): NamedFault {
  return () => {
    happens();
  };
}

async function* firstBytes(chunks: BodyChunks, bytes: number) {
  let left = bytes;
  for await (const chunk of chunks) {
    if (left <= 0) return;
    yield chunk.subarray(0, left);
    left -= chunk.length;
  }
}

async function* withFlippedBit(chunks: BodyChunks, position: number) {
  let start = 0;
  for await (const chunk of chunks) {
    const at = position - start;
    start += chunk.length;
    const byte = chunk[at];
    if (byte === undefined) {
      yield chunk;
      continue;
    }
    const changed = Buffer.from(chunk);
    changed[at] = byte ^ 1;
    yield changed;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true }
      );
  });
}
