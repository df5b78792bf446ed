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

  const QUOTES = String.raw`\"`.repeat(2_500_000);

  test.each([
    ['that never ends', `{"a":NaN,"b":"${QUOTES}`],
    ['that never ends, with a constant in it', `{"a":"${String.raw`\"NaN`.repeat(1_000_000)}`],
    ['that ends with a backslash', `{"a":NaN,"b":"${QUOTES}\\`],
    ['outside of which all is escaped', `{"a":NaN,${QUOTES}`],
  ])('is read in one pass, also a string of megabytes %s', (_what, text) => {
    expect(() => parse(text)).toThrow(SyntaxError);
  });

  test('may have a string of megabytes that is full of escapes', () => {
    expect(parse(`{"a":NaN,"b":"${QUOTES}"}`)).toEqual({ a: float('NaN'), b: '"'.repeat(2_500_000) });
  });
});
