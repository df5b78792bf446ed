import type { IncomingHttpHeaders } from 'node:http';
import type { HttpAnswer } from '../core/http-answer.js';

/** Headers as plain data: whatever came more than once is joined. */
export function plainHeaders(headers: IncomingHttpHeaders): HttpAnswer['headers'] {
  const plain = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as const]
  );
  return Object.fromEntries(plain);
}
