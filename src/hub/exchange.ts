import { setMaxListeners } from 'node:events';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { HttpTarget } from '../core/byte-source.js';
import { isPrefetchError, type PrefetchError } from '../core/errors.js';
import { startRequest } from '../http/agents.js';
import { proxyFailure, refusalOfProxy } from '../http/proxy-error.js';
import { defaultLeastRate, watchStall } from '../http/stall-watch.js';

/** One request without redirects and without tries. */
export interface ExchangeRequest extends HttpTarget {
  readonly method: 'GET' | 'HEAD';
  /** A good answer with a longer body is not read on. */
  readonly maxBytes: number;
  /** Longest silence; a body that only trickles for `PATIENCE` of them ends too. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** An answer with whatever status; the body of a refusal may be cut. */
export interface HubAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** Why there is no answer. `received` counts bytes of the body; before its first byte it is 0. */
export interface HttpFailure {
  readonly kind: 'unreachable' | 'silent' | 'cut' | 'tooLong';
  readonly reason: string;
  readonly received: number;
}

/** Bodies of refusals are for messages only. */
const MAX_REFUSAL_BYTES = 64 * 1024;
/** The rate of a body is looked at over so many silences: a minute, where nobody sets another time. */
const PATIENCE = 2;
const MAX_STALE_SOCKETS = 8;

/**
 * One request and its whole answer, redirects untouched. Throws the reason of `signal`, what is wrong with a proxy for good,
 * and nothing else.
 */
export async function exchange(request: ExchangeRequest): Promise<HubAnswer | HttpFailure> {
  const { signal } = request;
  // Many small files are read under one signal, and each listens to it.
  if (signal !== undefined) setMaxListeners(0, signal);
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const outcome = await exchangeOnce(request);
    signal?.throwIfAborted();
    // A server may close an idle connection while we take it from the pool: no failure, and these requests may repeat.
    if (outcome.kind !== 'staleSocket') return outcome;
    if (attempt === MAX_STALE_SOCKETS) return { kind: 'unreachable', reason: 'ECONNRESET', received: 0 };
  }
}

/** The first value of a header, by its name in lower case. */
export function header(answer: HubAnswer, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

type Outcome = HubAnswer | HttpFailure | { readonly kind: 'staleSocket' };

function exchangeOnce(request: ExchangeRequest): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const { timeoutMs, signal } = request;
    const sent = startRequest(request, { method: request.method, headers: {} });
    const windowMs = PATIENCE * timeoutMs;
    const leastRate = { bytes: Math.ceil((windowMs * defaultLeastRate.bytes) / defaultLeastRate.windowMs), windowMs };
    const stall = watchStall({ stallMs: timeoutMs, leastRate }, (what) => {
      settle({ kind: 'silent', reason: what, received: body.received() });
    });
    const onAbort = () => {
      settle({ kind: 'unreachable', reason: 'aborted', received: 0 });
    };
    const settle = (outcome: Outcome | PrefetchError) => {
      stall.stop();
      signal?.removeEventListener('abort', onAbort);
      // An answer that was read to its end leaves its connection to the next request.
      if (!body.ended()) sent.destroy();
      if (isPrefetchError(outcome)) reject(outcome);
      else resolve(outcome);
    };
    const moved = (bytes: number) => {
      stall.progress(bytes);
    };
    const body = collectBody(request, { settle, moved });
    signal?.addEventListener('abort', onAbort, { once: true });
    sent.on('response', (message) => {
      stall.progress();
      const ofProxy = refusalOfProxy(request.url, message.statusCode);
      if (ofProxy === undefined) body.collect(message);
      else settle(ofProxy);
    });
    sent.on('error', (error) => {
      settle(sendFailure(sent, error, body));
    });
    sent.end();
  });
}

type BodyCollector = ReturnType<typeof collectBody>;

function collectBody(
  request: ExchangeRequest,
  on: { readonly settle: (outcome: Outcome) => void; readonly moved: (bytes: number) => void }
) {
  const chunks: Uint8Array[] = [];
  let received = 0;
  let begun = false;
  let ended = false;

  function collect(message: IncomingMessage): void {
    begun = true;
    const status = message.statusCode ?? 0;
    const good = status >= 200 && status < 300;
    const limit = good ? request.maxBytes : MAX_REFUSAL_BYTES;
    const answer = (): HubAnswer => ({ kind: 'answer', status, headers: message.headers, body: joined(chunks) });
    const tooLong = (): Outcome =>
      good ? { kind: 'tooLong', reason: `more than ${String(limit)} bytes`, received } : answer();

    if (good && request.method === 'GET' && Number(message.headers['content-length'] ?? 0) > limit) {
      on.settle(tooLong());
      return;
    }
    message.on('data', (chunk: Uint8Array) => {
      received += chunk.byteLength;
      on.moved(chunk.byteLength);
      if (received > limit) on.settle(tooLong());
      else chunks.push(chunk);
    });
    message.on('end', () => {
      ended = true;
      on.settle(answer());
    });
    message.on('error', (error) => {
      on.settle({ kind: 'cut', reason: errorCode(error), received });
    });
  }

  return { collect, received: () => received, begun: () => begun, ended: () => ended };
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

function sendFailure(sent: ClientRequest, error: Error, body: BodyCollector): Outcome | PrefetchError {
  const ofProxy = proxyFailure(error, 'HubUnavailable');
  if (ofProxy?.permanent === true) return ofProxy;
  if (ofProxy !== undefined) return { kind: 'unreachable', reason: ofProxy.text, received: 0 };
  const reason = errorCode(error);
  if (body.begun()) return { kind: 'cut', reason, received: body.received() };
  const stale = sent.reusedSocket && (reason === 'ECONNRESET' || reason === 'EPIPE');
  return stale ? { kind: 'staleSocket' } : { kind: 'unreachable', reason, received: 0 };
}

/** The code and not the message: messages of some network errors hold the URL. */
function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
