import { expect, test } from 'vitest';
import { parseAnswerHead } from '../../src/http/answer-head.js';

const parse = (text: string) => parseAnswerHead(Buffer.from(text, 'latin1'));

test('a head gives status, headers in lower case and where the body begins', () => {
  expect(parse('HTTP/1.1 206 Partial Content\r\nContent-LENGTH:  5 \r\nX-A: 1\r\nx-a: 2\r\n\r\nbody')).toEqual({
    status: 206,
    headers: { 'content-length': '5', 'x-a': '1, 2' },
    length: 69,
    keepAlive: true,
  });
});

test('a head that is not whole is waited for', () => {
  expect(parse('')).toBeUndefined();
  expect(parse('HTTP/1.1 200 OK\r\nA: b\r\n')).toBeUndefined();
});

test.each(['SSH-2.0-x\r\n\r\n', 'HTTP/2 200\r\n\r\n', 'HTTP/1.1 20 OK\r\n\r\n', 'HTTP/1.1 200 OK\r\nno colon\r\n\r\n'])(
  '%j is not HTTP/1.1',
  (text) => {
    expect(parse(text)).toBe('malformed');
  }
);

test.each([
  ['HTTP/1.1 200 OK\r\n\r\n', true],
  ['HTTP/1.1 200\r\nConnection: Close\r\n\r\n', false],
  ['HTTP/1.0 200 OK\r\n\r\n', false],
  ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n', true],
])('%j may serve another request: %s', (text, keepAlive) => {
  expect(parse(text)).toMatchObject({ keepAlive });
});
