import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { PrefetchError } from '../core/errors.js';
import { errorAnswer, textAnswer, type Answer } from './answer.js';
import type { Fault, Intercept } from './fault.js';
import type { OpenRecord, RequestJournal } from './request-journal.js';
import { sendAnswer } from './send-answer.js';

/** A request, taken apart. */
export interface OriginRequest {
  readonly method: string;
  readonly host: string;
  /** As it was sent, percent-encoded, without the query. */
  readonly rawPath: string;
  /** Decoded one by one: a segment may hold a slash. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly contentType: string;
  readonly range: string | undefined;
  readonly readBody: () => Promise<string>;
}

/** One of the two servers: the Hub, or the CDN that its redirects lead to. */
export interface OriginOptions {
  readonly origin: 'hub' | 'cdn';
  readonly host: string;
  readonly port: number;
  readonly journal: RequestJournal;
  readonly intercept: Intercept | undefined;
  readonly answer: (request: OriginRequest) => Promise<Answer>;
}

/** A server that listens; closing it cuts what is under way. */
export interface OriginServer {
  readonly port: number;
  readonly close: () => Promise<void>;
}

const IDLE_CONNECTION_MS = 65_000;
const SILENT_CONNECTION_MS = 600_000;

/** Starts one HTTP server that records every request, lets faults in and sends what `answer` says. */
export async function startOrigin(options: OriginOptions): Promise<OriginServer> {
  const server = createServer((request, response) => {
    void serve(options, request, response);
  });
  server.keepAliveTimeout = IDLE_CONNECTION_MS;
  server.timeout = SILENT_CONNECTION_MS;
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error) => {
      reject(cannotListen(error, options));
    };
    server.once('error', refuse);
    server.listen(options.port, options.host, () => {
      server.off('error', refuse);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('A TCP server has an address with a port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function cannotListen(error: Error, { host, port }: OriginOptions): PrefetchError {
  const inUse = 'code' in error && error.code === 'EADDRINUSE';
  return new PrefetchError(
    'InvalidInput',
    `Cannot listen on ${host}:${String(port)}: ${inUse ? 'the port is in use' : error.message}. ` +
      'Choose another port (--port, --cdn-port; 0 takes a free one) or address (--host)'
  );
}

async function serve(options: OriginOptions, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const request = readRequest(message);
  const record = options.journal.open({
    origin: options.origin,
    method: message.method ?? 'GET',
    path: request === undefined ? (message.url ?? '').replace(/\?.*/, '') : `/${request.segments.join('/')}`,
    range: message.headers.range,
    hadAuthorization: message.headers.authorization !== undefined,
  });
  response.once('close', record.close);
  try {
    const fault = await options.intercept?.({ ...record.seen, count: record.count });
    if (fault?.instead === 'reset') message.socket.resetAndDestroy();
    if (fault?.instead !== undefined) return;
    const answer = await answerTo(request, { fault, options });
    await sendAnswer(response, answer, { fault, record, withBody: message.method !== 'HEAD' });
  } catch (error) {
    failResponse(response, { error, record });
  }
}

function answerTo(
  request: OriginRequest | undefined,
  { fault, options }: { fault: Fault | undefined; options: OriginOptions }
): Answer | Promise<Answer> {
  if (fault?.answer !== undefined) {
    return textAnswer(fault.answer.status, fault.answer.body ?? '', fault.answer.headers);
  }
  if (request === undefined) return errorAnswer({ status: 400, message: 'The path is not percent-encoded UTF-8' });
  return options.answer(fault?.ignoreRange === true ? { ...request, range: undefined } : request);
}

/** The path is not normalised: a `..` in it is a name like any other, and no repo has a file of that name. */
function readRequest(message: IncomingMessage): OriginRequest | undefined {
  const [rawPath = '/', ...rest] = (message.url ?? '/').split('?');
  try {
    return {
      method: message.method ?? 'GET',
      host: message.headers.host ?? 'localhost',
      rawPath,
      segments: rawPath.split('/').slice(1).map(decodeURIComponent),
      query: new URLSearchParams(rest.join('?')),
      authorization: message.headers.authorization,
      contentType: message.headers['content-type'] ?? '',
      range: message.headers.range,
      readBody: () => readBody(message),
    };
  } catch {
    return undefined;
  }
}

const MAX_BODY_LENGTH = 16 * 1024 * 1024;

async function readBody(message: IncomingMessage): Promise<string> {
  message.setEncoding('utf8');
  let text = '';
  for await (const chunk of message) {
    text += String(chunk);
    if (text.length > MAX_BODY_LENGTH) throw new RangeError('The body of the request is too long');
  }
  return text;
}

function failResponse(response: ServerResponse, { error, record }: { error: unknown; record: OpenRecord }): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const message = error instanceof Error ? error.message : String(error);
  const answer = errorAnswer({ status: 500, message });
  record.answered(500);
  response.writeHead(answer.status, answer.headers).end(JSON.stringify({ error: message }));
}
