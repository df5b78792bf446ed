import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { ByteRange } from '../core/byte-source.js';
import { PrefetchError } from '../core/errors.js';
import type { HttpAnswer } from '../core/http-answer.js';
import { MiB } from '../core/units.js';
import { originOf } from './agents.js';
import { answerTextBytes, parseAnswerHead, type AnswerHead } from './answer-head.js';
import type { GetRangeRequest } from './get-range.js';
import { checkRangeAnswer, isRefusal, judged, senselessAnswer } from './range-answer.js';
import { takeConnection, type RawConnection } from './raw-connection.js';
import { sourceFailure } from './source-failure.js';
import { watchStall } from './stall-watch.js';

const mostHeadBytes = 64 * 1024;
// One read of the whole rest would keep the other lanes waiting on a fast network.
const readBytes = MiB;
const lastChunk = Buffer.from('0\r\n\r\n');

/** How a raw exchange may end otherwise than by a failure; a refusal that is to be judged is an answer. */
type Outcome = 'done' | 'closed-before-answer' | 'needs-a-parser' | HttpAnswer;

/**
 * Reads one range from the socket straight into memory: no parser, no stream and no copy on the way. False where the
 * answer is one that needs a whole HTTP client: chunked, or of unknown length.
 */
export async function getRangeRaw(request: GetRangeRequest): Promise<boolean> {
  const outcome = await exchange(request, { fresh: false });
  // The other side closed an idle connection at the moment we used it: not a failure of the source.
  const last = outcome === 'closed-before-answer' ? await exchange(request, { fresh: true }) : outcome;
  if (typeof last === 'object') throw await judged(request.judge, last);
  return last !== 'needs-a-parser';
}

function exchange(request: GetRangeRequest, how: { readonly fresh: boolean }): Promise<Outcome> {
  const { target, range, signal } = request;
  signal.throwIfAborted();
  const origin = originOf(target);
  const head = requestHead(request);
  return new Promise((resolve, reject) => {
    let answered = false;
    let over = false;
    const end = (outcome: Outcome | undefined, failure?: unknown): void => {
      if (over) return;
      over = true;
      stall.stop();
      signal.removeEventListener('abort', onAbort);
      if (outcome !== undefined) resolve(outcome);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason of an abort is its caller's
      else reject(failure);
    };
    const fail = (failure: unknown): void => {
      connection.destroy();
      end(undefined, failure);
    };
    const onAbort = (): void => {
      fail(signal.reason);
    };
    const stall = watchStall(request, (what) => {
      const refusal = body.refusal();
      if (refusal === undefined) fail(new PrefetchError('SourceStalled', `${origin} sent ${what}.`));
      else {
        connection.destroy();
        end(refusal);
      }
    });
    const body = readAnswer(request, origin);
    const connection: RawConnection = takeConnection(
      { url: new URL(target.url), ca: target.ca },
      {
        nextBuffer: body.nextBuffer,
        onBytes(bytes) {
          stall.progress(bytes.length);
          answered = true;
          try {
            const state = body.take(bytes);
            if (state === 'more') return;
            if (state === 'reusable') connection.release();
            else connection.destroy();
            end(state === 'refused' ? body.refusal() : state === 'needs-a-parser' ? state : 'done');
          } catch (error) {
            fail(error);
          }
        },
        onClose(error) {
          if (!answered && connection.reused) end('closed-before-answer');
          else end(body.refusal(), closedEarly({ origin, error, received: body.received(), range }));
        },
      },
      how
    );
    signal.addEventListener('abort', onAbort, { once: true });
    connection.send(head);
  });
}

/** Takes bytes as they come: the head into memory of its own, the body into place. */
function readAnswer(request: GetRangeRequest, origin: string) {
  const { range, totalSize, into, onBytes, judge } = request;
  const length = range.end - range.start;
  let pending = Buffer.alloc(0);
  let head: AnswerHead | undefined;
  let refused: AnswerHead | undefined;
  let filled = 0;

  /** A refusal with what has come of its body, without the frames of chunks. */
  function refusal(): HttpAnswer | undefined {
    if (refused === undefined) return undefined;
    const { status, headers } = refused;
    const text = pending.toString('utf8', 0, answerTextBytes);
    const plain = headers['transfer-encoding'] === undefined ? text : text.replaceAll(/(?:^|\r\n)[\da-f]+\r\n/gi, '');
    return { origin, status, headers, text: plain };
  }

  function takeHead(bytes: Uint8Array): Uint8Array | 'needs-a-parser' | 'refused' | undefined {
    pending = Buffer.concat([pending, bytes]);
    if (refused !== undefined) return isWhole(refused) ? 'refused' : undefined;
    for (;;) {
      const parsed = parseAnswerHead(pending);
      if (parsed === 'malformed' || pending.length > 2 * mostHeadBytes) {
        throw new PrefetchError('SourceUnavailable', `${origin} sent an answer that is not HTTP.`);
      }
      if (parsed === undefined) return undefined;
      pending = pending.subarray(parsed.length);
      // Answers of 1xx only announce the real one.
      if (parsed.status < 200) continue;
      if (judge !== undefined && isRefusal(parsed)) {
        refused = parsed;
        return isWhole(parsed) ? 'refused' : undefined;
      }
      checkRangeAnswer(parsed, { origin, range, totalSize });
      if (parsed.headers['transfer-encoding'] !== undefined || parsed.headers['content-length'] === undefined) {
        return 'needs-a-parser';
      }
      head = parsed;
      return pending;
    }
  }

  /** Whether as much of the body of a refusal is here as is kept of it. */
  function isWhole({ status, headers }: AnswerHead): boolean {
    const most = Math.min(answerTextBytes, Number(headers['content-length'] ?? answerTextBytes));
    return status === 204 || status === 304 || pending.length >= most || pending.subarray(-5).equals(lastChunk);
  }

  return {
    refusal,
    received: () => (head === undefined ? undefined : filled),
    nextBuffer: () =>
      head === undefined || filled >= length ? undefined : into.subarray(filled, Math.min(filled + readBytes, length)),
    take(bytes: Uint8Array): 'more' | 'reusable' | 'used-up' | 'needs-a-parser' | 'refused' {
      let count = bytes.length;
      if (head === undefined) {
        const first = takeHead(bytes);
        if (first === 'needs-a-parser' || first === 'refused') return first;
        if (first === undefined) return 'more';
        if (first.length > length) throw tooMuch(origin, length);
        into.set(first);
        count = first.length;
      }
      filled += count;
      if (count > 0) onBytes?.(count);
      if (filled < length) return 'more';
      return head?.keepAlive === true ? 'reusable' : 'used-up';
    },
  };
}

function requestHead({ target, range }: GetRangeRequest): string {
  const url = new URL(target.url);
  const headers = new Map([['host', url.host]]);
  for (const [name, value] of Object.entries(target.headers)) headers.set(name.toLowerCase(), value);
  headers.set('accept-encoding', 'identity');
  headers.set('range', `bytes=${range.start}-${range.end - 1}`);
  headers.set('connection', 'keep-alive');
  const lines = [...headers].map(([name, value]) => {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return `${name}: ${value}\r\n`;
  });
  return `GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

interface Closed {
  readonly origin: string;
  readonly error: NodeJS.ErrnoException | undefined;
  readonly received: number | undefined;
  readonly range: ByteRange;
}

function closedEarly({ origin, error, received, range }: Closed): PrefetchError {
  if (error === undefined && received !== undefined) {
    return new PrefetchError(
      'TruncatedSource',
      `${origin} ended after ${received} of ${range.end - range.start} bytes.`
    );
  }
  return sourceFailure(origin, error?.code ?? 'closed');
}

function tooMuch(origin: string, length: number): PrefetchError {
  return senselessAnswer(`${origin} sent more than the ${length} bytes that were asked for.`);
}
