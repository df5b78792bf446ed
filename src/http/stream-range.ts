import type { IncomingMessage } from 'node:http';
import type { ByteRange, HttpTarget } from '../core/byte-source.js';
import { PrefetchError } from '../core/errors.js';
import { originOf, startRequest } from './agents.js';
import { answerTextBytes } from './answer-head.js';
import { plainHeaders } from './plain-headers.js';
import { proxyFailure, refusalOfProxy } from './proxy-error.js';
import { checkRangeAnswer, isRefusal, judged, senselessAnswer, type JudgeRefusal } from './range-answer.js';
import { sourceFailure } from './source-failure.js';
import { watchStall, type Patience, type StallWatch } from './stall-watch.js';

/** A ranged GET whose bytes are handed over as they come. */
export interface StreamRangeRequest extends Patience {
  readonly target: HttpTarget;
  readonly range: ByteRange;
  /** Bytes of the whole file, which the answer must agree with. */
  readonly totalSize: number;
  readonly signal: AbortSignal;
  /** Takes the next bytes; a promise holds the connection back until it is done. */
  readonly onChunk: (chunk: Uint8Array) => void | Promise<void>;
  /** Asked what a refusal means, with the beginning of its body; without it the status alone tells. */
  readonly judge?: JudgeRefusal | undefined;
}

/** Reads exactly one range, or fails: never fewer bytes, never more, never other ones. */
export function streamRange(request: StreamRangeRequest): Promise<void> {
  const { target, range, totalSize, signal, judge } = request;
  signal.throwIfAborted();
  const origin = originOf(target);
  return new Promise((resolve, reject) => {
    const outgoing = startRequest(target, {
      method: 'GET',
      headers: { 'Accept-Encoding': 'identity', Range: `bytes=${range.start}-${range.end - 1}` },
    });
    let refusal: IncomingMessage | undefined;
    const stall = watchStall(request, (what) => {
      // What has come of a refusal has to do.
      if (refusal !== undefined) refusal.destroy();
      else finish(new PrefetchError('SourceStalled', `${origin} sent ${what}.`));
    });
    const onAbort = (): void => {
      finish(signal.reason);
    };
    const state: BodyState = { done: false, busy: undefined };
    function finish(failure?: unknown): void {
      if (state.done) return;
      state.done = true;
      stall.stop();
      signal.removeEventListener('abort', onAbort);
      if (failure !== undefined) outgoing.destroy();
      const settle = (problem: unknown): void => {
        if (problem === undefined) resolve();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason of an abort is its caller's
        else reject(problem);
      };
      // Whoever takes the chunks must be done with the last one before anybody starts over.
      Promise.resolve()
        .then(() => state.busy)
        .then(
          () => {
            settle(failure);
          },
          (error: unknown) => {
            settle(failure ?? error);
          }
        );
    }
    signal.addEventListener('abort', onAbort, { once: true });
    outgoing.on('error', (error) => {
      finish(unavailable(origin, error));
    });
    outgoing.on('response', (response) => {
      const pass = { response, length: range.end - range.start, origin, stall, state, finish };
      const answer = { status: response.statusCode ?? 0, headers: plainHeaders(response.headers) };
      try {
        const ofProxy = refusalOfProxy(target.url, answer.status);
        if (ofProxy !== undefined) throw ofProxy;
        if (judge !== undefined && isRefusal(answer)) {
          refusal = response;
          refusalText(response, stall)
            .then((text) => judged(judge, { origin, ...answer, text }))
            .then(finish, finish);
          return;
        }
        checkRangeAnswer(answer, { origin, range, totalSize });
        passBody(pass, request.onChunk);
      } catch (error) {
        finish(error);
      }
    });
    outgoing.end();
  });
}

/** The beginning of a body that says why; one that breaks off says what has come of it. */
async function refusalText(response: IncomingMessage, stall: StallWatch): Promise<string> {
  const chunks: Buffer[] = [];
  let kept = 0;
  try {
    for await (const chunk of response) {
      if (!Buffer.isBuffer(chunk)) continue;
      stall.progress(chunk.length);
      chunks.push(chunk);
      kept += chunk.length;
      if (kept >= answerTextBytes) break;
    }
  } catch {
    // The status is known, and is what counts.
  }
  return Buffer.concat(chunks).toString('utf8', 0, answerTextBytes);
}

interface BodyState {
  done: boolean;
  /** Whoever takes the chunks is at work on one. */
  busy: Promise<void> | undefined;
}

interface BodyPass {
  readonly response: IncomingMessage;
  readonly length: number;
  readonly origin: string;
  readonly stall: StallWatch;
  readonly state: BodyState;
  readonly finish: (failure?: unknown) => void;
}

function passBody(pass: BodyPass, onChunk: (chunk: Uint8Array) => void | Promise<void>): void {
  const { response, length, origin, stall, state, finish } = pass;
  let received = 0;
  response.on('data', (chunk: Buffer) => {
    // The caller may use its buffer for something else by now.
    if (state.done) return;
    stall.progress(chunk.length);
    received += chunk.length;
    if (received > length) {
      finish(senselessAnswer(`${origin} sent more than the ${length} bytes that were asked for.`));
      return;
    }
    const busy = onChunk(chunk);
    if (busy === undefined) return;
    response.pause();
    stall.pause();
    state.busy = busy;
    busy.then(() => {
      state.busy = undefined;
      stall.progress();
      response.resume();
    }, finish);
  });
  const end = (): void => {
    finish(
      received === length
        ? undefined
        : new PrefetchError('TruncatedSource', `${origin} ended after ${received} of ${length} bytes.`)
    );
  };
  response.on('end', end);
  response.on('error', () => {
    // Node reports a reset and an early but orderly end alike; only its socket knows which it was.
    const reset = response.socket.errored;
    if (reset === null) end();
    else finish(unavailable(origin, reset));
  });
}

function unavailable(origin: string, error: NodeJS.ErrnoException): PrefetchError {
  return proxyFailure(error, 'SourceUnavailable') ?? sourceFailure(origin, error.code ?? 'no code');
}
