import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LocatedSource } from '../../src/core/byte-source.js';
import type { Digest } from '../../src/core/digest.js';
import { readLocated } from '../../src/http/read-located.js';
import { readPolicy, type Policies } from '../../src/transfer/budget/policies.js';
import { rangeOf, serveRange, startServer } from './local-server.js';
import { quickPolicies } from './quick-policies.js';

/** A file on a server of its own, and what was asked for. */
export interface TestSource extends LocatedSource {
  /** Starts of the ranges that were asked for, in order. */
  readonly starts: number[];
  /** How often a location was asked for. */
  readonly located: () => number;
  readonly sockets: () => number;
  close(): Promise<void>;
}

export interface TestSourceOptions {
  readonly policies?: Policies;
  readonly path?: string;
  readonly digest?: Digest;
  /** Answers itself where it returns true; `count` is that of requests so far, this one included. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse, count: number) => boolean;
}

/** Serves bytes as a CDN does; locations differ in a query that looks signed. */
export async function serveSource(bytes: Uint8Array, options: TestSourceOptions = {}): Promise<TestSource> {
  const { path = 'weights.bin', digest = sha256Of(bytes), intercept = () => false, policies = quickPolicies } = options;
  const starts: number[] = [];
  let located = 0;
  let requests = 0;
  const server = await startServer((request, response) => {
    starts.push(rangeOf(request, bytes.length).start);
    if (!intercept(request, response, ++requests)) serveRange(bytes, request, response);
  });
  const location = () => ({
    url: `${server.origin}/file?X-Signature=secret&generation=${located}`,
    headers: {},
    expiresAt: Date.now() + 3_600_000,
  });
  let current = location();
  const locate: LocatedSource['locate'] = ({ stale }) => {
    if (located === 0 || stale?.url === current.url) {
      located++;
      current = location();
    }
    return Promise.resolve(current);
  };
  return {
    path,
    size: bytes.length,
    digest,
    starts,
    located: () => located,
    sockets: () => server.sockets.size,
    locate,
    read: readLocated({ size: bytes.length, locate }, readPolicy(policies)),
    readWhole: async ({ signal }) => {
      const response = await fetch(current.url, { signal });
      return new Uint8Array(await response.arrayBuffer());
    },
    close: () => server.close(),
  };
}

export function sha256Of(bytes: Uint8Array): Digest {
  return { algorithm: 'sha256', hex: createHash('sha256').update(bytes).digest('hex') };
}

export function gitSha1Of(bytes: Uint8Array): Digest {
  const hex = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  return { algorithm: 'gitSha1', hex };
}
