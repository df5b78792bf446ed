import { askedRange, type AskedRange } from './byte-range.js';
import { bytesContent, type Content } from './content.js';

/** What is sent back, as data. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: { readonly content: Content; readonly start: number; readonly end: number };
}

/** The value as JSON, as the Hub's API sends it. */
export function jsonAnswer(value: unknown, headers: Answer['headers'] = {}, status = 200): Answer {
  return textAnswer(status, JSON.stringify(value), { 'Content-Type': 'application/json; charset=utf-8', ...headers });
}

/** The text with its length, and no type unless the headers name one. */
export function textAnswer(status: number, text: string, headers: Answer['headers'] = {}): Answer {
  const content = bytesContent(Buffer.from(text));
  return {
    status,
    headers: { ...headers, 'Content-Length': String(content.size) },
    body: { content, start: 0, end: content.size },
  };
}

/** A refusal as the Hub words it. */
export interface HubError {
  readonly status: number;
  /** One of the Hub's own: clients tell their errors by it. */
  readonly code?: 'RepoNotFound' | 'RevisionNotFound' | 'EntryNotFound' | 'GatedRepo';
  readonly message: string;
  readonly headers?: Answer['headers'];
}

/** The refusal in the headers and in the body, for clients read either. */
export function errorAnswer({ status, code, message, headers }: HubError): Answer {
  return jsonAnswer(
    { error: message },
    {
      ...(code === undefined ? {} : { 'X-Error-Code': code }),
      // A header takes Latin-1 only; a revision in the message may be anything.
      'X-Error-Message': message.replaceAll(/[^\x20-\x7e]/g, '?'),
      ...headers,
    },
    status
  );
}

/** A redirect; the headers may say what HEAD asks for, such as the etag of the file. */
export function redirectAnswer(status: 302 | 307, location: string, headers: Answer['headers']): Answer {
  const answer = textAnswer(status, 'Redirecting', { 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  return { ...answer, headers: { ...answer.headers, Location: location } };
}

/** A file, or the range of it that was asked for. */
export async function contentAnswer(
  content: Content,
  range: string | undefined,
  headers: Answer['headers']
): Promise<Answer> {
  await content.check();
  const asked = askedRange(range, content.size);
  const size = String(content.size);
  if (asked.kind === 'unsatisfiable') {
    return textAnswer(416, 'Range not satisfiable', { 'Content-Range': `bytes */${size}`, 'Accept-Ranges': 'bytes' });
  }
  const { start, end } = asked.kind === 'part' ? asked : { start: 0, end: content.size };
  return {
    status: asked.kind === 'part' ? 206 : 200,
    headers: {
      'Content-Type': 'application/octet-stream',
      'Accept-Ranges': 'bytes',
      ...headers,
      'Content-Length': String(end - start),
      ...contentRange(asked, { range, size }),
    },
    body: { content, start, end },
  };
}

/** The JavaScript client takes the size of a file from here, and only from here, empty ones included. */
function contentRange(asked: AskedRange, { range, size }: { range: string | undefined; size: string }) {
  if (asked.kind === 'part') {
    return { 'Content-Range': `bytes ${String(asked.start)}-${String(asked.end - 1)}/${size}` };
  }
  return size === '0' && range !== undefined ? { 'Content-Range': 'bytes */0' } : {};
}
