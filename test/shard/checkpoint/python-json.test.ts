import { describe, expect, test } from 'vitest';
import { parsePythonJson } from '../../../src/shard/checkpoint/python-json.js';

const parse = (text: string) => parsePythonJson(new TextEncoder().encode(text));
const float = (constant: string) => ({ __float__: constant });

describe('JSON as Python reads it', () => {
  test.each([
    ['{"a": NaN, "b": [Infinity, -Infinity]}', { a: float('NaN'), b: [float('Infinity'), float('-Infinity')] }],
    ['NaN', float('NaN')],
    ['{"a NaN": "-Infinity \\\\", "b\\"": NaN}', { 'a NaN': '-Infinity \\', 'b"': float('NaN') }],
    ['{"a": 1, "a": 2}', { a: 2 }],
    ['{"a": "\\ud800"}', { a: '\ud800' }],
  ])('%s', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  test.each([
    '\ufeff{}',
    '{NaN: 1}',
    '{"a": -NaN}',
    '{"a": +Infinity}',
    '{"a": 1NaN}',
    '{"a": NaNs}',
    '{"a": nan}',
    '{"a": NaN,}',
    "{'a': NaN}",
    '{"a": "NaN\n"}',
    '{"a": NaN} // b',
    '"NaN',
    '',
  ])('is none where Python finds none: %j', (text) => {
    expect(() => parse(text)).toThrow(SyntaxError);
  });

  test('is UTF-8', () => {
    expect(() => parsePythonJson(Buffer.from('{"a":"\xff"}', 'latin1'))).toThrow(TypeError);
  });
});
