import type { ClientRequest, IncomingMessage } from 'node:http';
import type { HttpTarget } from '../core/byte-source.js';
import { PrefetchError } from '../core/errors.js';
import type { HttpAnswer } from '../core/http-answer.js';
import { KiB } from '../core/units.js';
import { originOf, startRequest } from './agents.js';
import { answerTextBytes } from './answer-head.js';
import { isCertificateError } from './certificate-errors.js';
import { plainHeaders } from './plain-headers.js';
import { proxyFailure, refusalOfProxy } from './proxy-error.js';
import { watchStall, type Patience, type StallWatch } from './stall-watch.js';
import { adviceOnProtocol, spokenWrongly } from './wrong-protocol.js';

// Over TLS one big write is encrypted as a whole into memory; slices with drain are not.
const sliceBytes = 256 * KiB;
// A slow link takes a slice of the full size for longer than silence is borne, and nothing is heard of it on the way.
const firstSliceBytes = 64 * KiB;
const slowSliceBytes = 16 * KiB;
const slowSliceMs = 1000;

/** A PUT of bytes in memory. */
export interface PutBytesRequest extends Partial<Patience> {
  readonly target: HttpTarget;
  readonly body: Uint8Array;
  readonly signal?: AbortSignal;
}

/** Sends bytes with an exact length; any status is an answer, and none at all fails as `StoreUnavailable`. */
export function putBytes(request: PutBytesRequest): Promise<HttpAnswer> {
  const { body, ...rest } = request;
  return putStream({ ...rest, size: body.length, body: [body] });
}

/** Sends a body of known size as it is read; fails as `StoreUnavailable` where there is no answer. */
export async function putStream(
  request: Omit<PutBytesRequest, 'body'> & {
    readonly size: number;
    readonly body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  }
): Promise<HttpAnswer> {
  const { target, size, body, signal, stallMs = 60_000, leastRate } = request;
  signal?.throwIfAborted();
  const origin = originOf(target);
  const outgoing = startRequest(target, { method: 'PUT', headers: { 'Content-Length': size } });
  return new Promise((resolve, reject) => {
    const stall = watchStall({ stallMs, leastRate }, (what) => {
      finish(new PrefetchError('StoreUnavailable', `${origin} took and sent ${what}.`));
    });
    const onAbort = (): void => {
      finish(signal?.reason);
    };
    const state = { done: false };
    function finish(failure: unknown, answer?: HttpAnswer): void {
      state.done = true;
      stall.stop();
      signal?.removeEventListener('abort', onAbort);
      // An answer before the end of the body leaves the connection in the middle of a request.
      if (answer === undefined || !outgoing.writableEnded) outgoing.destroy();
      if (answer !== undefined) resolve(answer);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason of an abort is its caller's
      else reject(failure);
    }
    signal?.addEventListener('abort', onAbort, { once: true });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      finish(proxyFailure(error, 'StoreUnavailable') ?? connectionFailure(origin, error.code));
    });
    outgoing.on('response', (response) => {
      state.done = true;
      stall.restart();
      readAnswer(target, response, stall).then((answer) => {
        finish(undefined, answer);
      }, finish);
    });
    send({ outgoing, size, body, stall, state }).catch(finish);
  });
}

function connectionFailure(origin: string, code = 'no code'): PrefetchError {
  const text = `The connection to ${origin} failed (${code})`;
  const lacks = spokenWrongly(code);
  if (lacks !== undefined) return new PrefetchError('StoreRefused', `${text}: ${adviceOnProtocol(lacks)}`);
  if (!isCertificateError(code)) return new PrefetchError('StoreUnavailable', `${text}.`);
  const advice = 'give its authority in AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS, and check the host name and the clock';
  return new PrefetchError('StoreRefused', `${text}: its TLS certificate is not trusted: ${advice}`);
}

interface Sending {
  readonly outgoing: ClientRequest;
  readonly size: number;
  readonly body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly stall: StallWatch;
  readonly state: { readonly done: boolean };
}

async function send({ outgoing, size, body, stall, state }: Sending): Promise<void> {
  let sent = 0;
  let most = firstSliceBytes;
  for await (const chunk of body) {
    if (sent + chunk.length > size) {
      sent += chunk.length;
      break;
    }
    for (let start = 0; start < chunk.length;) {
      if (state.done) return;
      const slice = chunk.subarray(start, start + most);
      start += slice.length;
      sent += slice.length;
      // The answer may come before the drain of the last slice: the request must be ended by then to be used again.
      if (sent === size) {
        // The store may be at work on the bytes before it answers: that has no rate.
        stall.restart();
        outgoing.end(slice);
        return;
      }
      const began = performance.now();
      await taken(outgoing, slice);
      stall.progress(slice.length);
      most = performance.now() - began > slowSliceMs ? slowSliceBytes : Math.min(2 * most, sliceBytes);
    }
  }
  if (state.done) return;
  if (sent !== size) throw new PrefetchError('Internal', `A body has ${sent} bytes or more, expected ${size}.`);
  outgoing.end();
}

/** Done when the connection has taken the bytes, or is gone. */
function taken(outgoing: ClientRequest, slice: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const free = (): void => {
      outgoing.off('drain', free).off('close', free);
      resolve();
    };
    if (outgoing.write(slice)) free();
    else outgoing.on('drain', free).on('close', free);
  });
}

async function readAnswer(target: HttpTarget, response: IncomingMessage, stall: StallWatch): Promise<HttpAnswer> {
  const ofProxy = refusalOfProxy(target.url, response.statusCode);
  if (ofProxy !== undefined) throw ofProxy;
  const origin = originOf(target);
  const chunks: Buffer[] = [];
  let kept = 0;
  try {
    for await (const chunk of response) {
      stall.progress(Buffer.isBuffer(chunk) ? chunk.length : 0);
      if (!Buffer.isBuffer(chunk) || kept >= answerTextBytes) continue;
      chunks.push(chunk);
      kept += chunk.length;
    }
  } catch {
    throw new PrefetchError('StoreUnavailable', `${origin} cut its answer.`);
  }
  const text = Buffer.concat(chunks).subarray(0, answerTextBytes).toString('utf8');
  return { origin, status: response.statusCode ?? 0, headers: plainHeaders(response.headers), text };
}
