import type { HttpAnswer } from '../core/http-answer.js';
import { KiB } from '../core/units.js';

/** How much of the body of an answer is kept to be judged. */
export const answerTextBytes = 64 * KiB;

/** Status and headers of an answer, and where its body begins. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: HttpAnswer['headers'];
  /** Bytes of the head, the empty line included. */
  readonly length: number;
  /** Whether the connection may serve another request. */
  readonly keepAlive: boolean;
}

/** Reads the head of an HTTP/1.1 answer: undefined while it is not whole, a word where it is not HTTP/1.1. */
export function parseAnswerHead(bytes: Buffer): AnswerHead | undefined | 'malformed' {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const [, minor, status] = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(statusLine) ?? [];
  if (status === undefined) return 'malformed';
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return 'malformed';
    const known = headers[name.toLowerCase()];
    headers[name.toLowerCase()] = known === undefined ? value : `${known}, ${value}`;
  }
  const connection = (headers['connection'] ?? '').toLowerCase();
  const keepAlive = minor === '1' ? !connection.includes('close') : connection.includes('keep-alive');
  return { status: Number(status), headers, length: end + 4, keepAlive };
}
