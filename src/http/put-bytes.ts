import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { PrefetchError } from '../core/errors.js';
import { KiB } from '../core/units.js';
import { originOf, startRequest } from './agents.js';
import { watchStall } from './stall-watch.js';
import type { HttpTarget } from './types.js';

// Over TLS one big write is encrypted as a whole into memory; slices with drain are not.
const sliceBytes = 256 * KiB;
const answerTextBytes = 64 * KiB;

/** What a store answered to a PUT; any status is an answer. */
export interface PutAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The first 64 KiB of the body. */
  readonly text: string;
}

/** A PUT of bytes in memory. */
export interface PutBytesRequest {
  readonly target: HttpTarget;
  readonly body: Uint8Array;
  readonly signal?: AbortSignal;
  /** Longest time without a byte taken or an answer. */
  readonly stallMs?: number;
}

/** Sends bytes with an exact length; fails as `StoreUnavailable` where there is no answer. */
export function putBytes(request: PutBytesRequest): Promise<PutAnswer> {
  const { body, ...rest } = request;
  return putStream({ ...rest, size: body.length, body: slices(body) });
}

/** Sends a body of known size as it is read; fails as `StoreUnavailable` where there is no answer. */
export async function putStream(
  request: Omit<PutBytesRequest, 'body'> & {
    readonly size: number;
    readonly body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  }
): Promise<PutAnswer> {
  const { target, size, body, signal, stallMs = 60_000 } = request;
  signal?.throwIfAborted();
  const origin = originOf(target);
  const outgoing = startRequest(target, { method: 'PUT', headers: { 'Content-Length': size } });
  return new Promise((resolve, reject) => {
    const stall = watchStall(stallMs, () => {
      finish(new PrefetchError('StoreUnavailable', `${origin} took and sent nothing for ${stallMs} ms.`));
    });
    const onAbort = (): void => {
      finish(signal?.reason);
    };
    const state = { done: false };
    function finish(failure: unknown, answer?: PutAnswer): void {
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
      const text = `The connection to ${origin} failed (${error.code ?? 'no code'}).`;
      finish(new PrefetchError('StoreUnavailable', text));
    });
    outgoing.on('response', (response) => {
      state.done = true;
      stall.progress();
      readAnswer(response, stall).then(
        (answer) => {
          finish(undefined, answer);
        },
        () => {
          finish(new PrefetchError('StoreUnavailable', `${origin} cut its answer.`));
        }
      );
    });
    send({ outgoing, size, body, stall, state }).catch(finish);
  });
}

function* slices(body: Uint8Array): Iterable<Uint8Array> {
  for (let start = 0; start < body.length; start += sliceBytes) yield body.subarray(start, start + sliceBytes);
}

interface Sending {
  readonly outgoing: ClientRequest;
  readonly size: number;
  readonly body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly stall: { progress(): void };
  readonly state: { readonly done: boolean };
}

async function send({ outgoing, size, body, stall, state }: Sending): Promise<void> {
  let sent = 0;
  for await (const slice of body) {
    if (state.done) return;
    sent += slice.length;
    if (sent > size) break;
    // The answer may come before the drain of the last slice: the request must be ended by then to be used again.
    if (sent === size) {
      outgoing.end(slice);
      return;
    }
    await new Promise<void>((resolve) => {
      const free = (): void => {
        stall.progress();
        outgoing.off('drain', free).off('close', free);
        resolve();
      };
      if (outgoing.write(slice)) free();
      else outgoing.on('drain', free).on('close', free);
    });
  }
  if (state.done) return;
  if (sent !== size) throw new PrefetchError('Internal', `A body has ${sent} bytes or more, expected ${size}.`);
  outgoing.end();
}

async function readAnswer(response: IncomingMessage, stall: { progress(): void }): Promise<PutAnswer> {
  const chunks: Buffer[] = [];
  let kept = 0;
  for await (const chunk of response) {
    stall.progress();
    if (!Buffer.isBuffer(chunk) || kept >= answerTextBytes) continue;
    chunks.push(chunk);
    kept += chunk.length;
  }
  const text = Buffer.concat(chunks).subarray(0, answerTextBytes).toString('utf8');
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}
