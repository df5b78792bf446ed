import {
  createServer,
  request as startRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

import { withoutSignedHeader } from './s3-resign.js';
import type { S3Server } from './s3-programs.js';
import { slowly } from './slowly.js';
import { staleLists, type StaleLists } from './stale-lists.js';

/** A request as rules see it. */
export interface SeenRequest {
  readonly method: string;
  /** Of the store, with its port. */
  readonly host: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Whose credentials it is signed with. */
  readonly accessKey: string | undefined;
  /** It asks the store to copy what it has. */
  readonly copies: boolean;
  /** What the store answered, once it did. */
  readonly status?: number;
}

/** What goes wrong with a request. */
export type S3Fault =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly code: string;
      readonly headers?: Record<string, string>;
    }
  /** The connection is reset before the store hears of the request. */
  | { readonly kind: 'reset' }
  /** The request is taken and never answered. */
  | { readonly kind: 'stall' }
  /** Half of the body reaches the store, then both connections are cut. */
  | { readonly kind: 'cutBody' }
  /** The store does what it is told, and nobody hears its answer. */
  | { readonly kind: 'loseAnswer' }
  /** Half of the answer's body arrives. */
  | { readonly kind: 'cutAnswer' }
  /** The body, of the request and of the answer, moves at this pace. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** Nothing goes wrong with the request itself, but something happens before the store hears of it. */
  | { readonly kind: 'meanwhile'; readonly happens: () => void };

/** Which requests get the fault, and how many of them (1 unless told). */
export interface FaultRule {
  readonly match: (request: SeenRequest) => boolean;
  readonly fault: S3Fault;
  readonly times?: number;
}

/** A proxy in front of a real S3 server. */
export interface S3FaultProxy {
  readonly endpoint: string;
  readonly options: S3Server['options'];
  /** All requests so far. */
  readonly seen: readonly SeenRequest[];
  inject(rule: FaultRule): void;
  /** Lists stay as they are for so long after they were first asked for; 0, as at the start, for none. */
  keepLists(ms: number): void;
  /** Leaves `If-None-Match` out, so that the store writes over what is there as one without conditional writes does. */
  dropConditions(drop: boolean): void;
  /** From now on all goes well, on a store that has conditions or none as before. */
  clear(): void;
  stop(): Promise<void>;
}

/** Starts a proxy that passes everything on, but for the faults it is told to make. */
export async function startS3FaultProxy(
  target: Pick<S3Server, 'endpoint' | 'options'> & Partial<Pick<S3Server, 'secretKey'>>
): Promise<S3FaultProxy> {
  const rules: { rule: FaultRule; left: number }[] = [];
  const lists = staleLists();
  let dropsConditions = false;
  const seen: { -readonly [K in keyof SeenRequest]: SeenRequest[K] }[] = [];
  const server = createServer((incoming, outgoing) => {
    const request: (typeof seen)[number] = describeRequest(incoming);
    seen.push(request);
    const found = rules.find(({ rule, left }) => left > 0 && rule.match(request));
    if (found !== undefined) found.left--;
    const fault = found?.rule.fault;
    const onStatus = (status: number) => {
      request.status = status;
    };
    const headers =
      dropsConditions && incoming.headers['if-none-match'] !== undefined ? unconditional(incoming, target) : undefined;
    handle({ target: target.endpoint, incoming, outgoing, fault, onStatus, lists, ...(headers && { headers }) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
  const endpoint = `http://127.0.0.1:${String(port)}`;
  return {
    endpoint,
    options: { ...target.options, endpoint },
    seen,
    inject: (rule) => rules.push({ rule, left: rule.times ?? 1 }),
    keepLists: lists.setAge,
    dropConditions: (drop) => {
      dropsConditions = drop;
    },
    clear: () => {
      rules.length = 0;
      lists.setAge(0);
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function unconditional(incoming: IncomingMessage, { secretKey = '' }: { readonly secretKey?: string }) {
  const { method = 'GET', url = '/', headers } = incoming;
  return withoutSignedHeader({ method, url, headers }, 'if-none-match', secretKey);
}

interface Exchange {
  readonly target: string;
  readonly incoming: IncomingMessage;
  /** Sent on in place of those that came. */
  readonly headers?: IncomingMessage['headers'];
  readonly lists: StaleLists;
  readonly outgoing: ServerResponse;
  readonly fault: S3Fault | undefined;
  readonly onStatus: (status: number) => void;
}

function handle(exchange: Exchange): void {
  const { incoming, outgoing, fault } = exchange;
  switch (fault?.kind) {
    case 'answer': {
      incoming.resume();
      incoming.once('end', () => {
        const body = `<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>injected</Message></Error>`;
        outgoing.writeHead(fault.status, { 'content-type': 'application/xml', ...fault.headers }).end(body);
      });
      return;
    }
    case 'reset':
      incoming.socket.resetAndDestroy();
      return;
    case 'stall':
      incoming.resume();
      return;
    case 'meanwhile':
      fault.happens();
      forward(exchange);
      return;
    default:
      forward(exchange);
  }
}

/** Passes a request on as it is: the Host header is signed, and servers check it as they got it. */
function forward({ target, incoming, outgoing, fault, onStatus, lists, headers }: Exchange): void {
  const url = incoming.url ?? '/';
  const isList = incoming.method === 'GET' && url.includes('list-type=2');
  if (isList && lists.answer(url, outgoing)) return;
  const upstream = startRequest(target + url, {
    method: incoming.method ?? 'GET',
    headers: headers ?? incoming.headers,
    agent: false,
  });
  upstream.on('error', () => incoming.socket.destroy());
  upstream.on('response', (answer) => {
    onStatus(answer.statusCode ?? 502);
    if (isList) lists.keep(url, answer);
    if (fault?.kind === 'loseAnswer') {
      answer.resume();
      answer.once('end', () => incoming.socket.resetAndDestroy());
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    if (fault?.kind === 'cutAnswer') {
      answer.once('data', (chunk: Buffer) => {
        outgoing.write(chunk.subarray(0, chunk.length >> 1), () => incoming.socket.destroy());
      });
      return;
    }
    if (fault?.kind === 'slow') answer.pipe(slowly(fault.bytesPerSecond)).pipe(outgoing);
    else answer.pipe(outgoing);
  });
  if (fault?.kind === 'cutBody') sendHalf(incoming, upstream);
  else if (fault?.kind === 'slow') incoming.pipe(slowly(fault.bytesPerSecond)).pipe(upstream);
  else incoming.pipe(upstream);
}

function sendHalf(incoming: IncomingMessage, upstream: ReturnType<typeof startRequest>): void {
  const half = Number(incoming.headers['content-length'] ?? 0) >> 1;
  let sent = 0;
  incoming.on('data', (chunk: Buffer) => {
    if (sent >= half) return;
    const part = chunk.subarray(0, half - sent);
    sent += part.length;
    upstream.write(part, () => {
      if (sent < half) return;
      upstream.destroy();
      incoming.socket.destroy();
    });
  });
}

function describeRequest(incoming: IncomingMessage): SeenRequest {
  const url = new URL(incoming.url ?? '/', 'http://proxy');
  return {
    method: incoming.method ?? '',
    host: incoming.headers.host ?? '',
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    headers: incoming.headers,
    accessKey: /Credential=([^/]+)\//.exec(incoming.headers.authorization ?? '')?.[1],
    copies: incoming.headers['x-amz-copy-source'] !== undefined,
  };
}
