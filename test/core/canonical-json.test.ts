import { expect, test } from 'vitest';
import { canonicalJson } from '../../src/core/canonical-json.js';
import { random } from '../helpers/random.js';

test('fields are sorted at every depth', () => {
  expect(canonicalJson({ b: 1, a: [{ d: null, c: 'x' }] })).toBe('{"a":[{"c":"x","d":null}],"b":1}');
});

test('a field that is undefined is the same as none', () => {
  expect(canonicalJson({ a: undefined, b: { c: undefined } })).toBe('{"b":{}}');
});

test('an array keeps its order and its length', () => {
  expect(canonicalJson([2, undefined, 1])).toBe('[2,null,1]');
});

test.each([
  [null, 'null'],
  [undefined, 'null'],
  [true, 'true'],
  [-0, '0'],
  [1.5e300, '1.5e+300'],
  ['"\\\u0000', '"\\"\\\\\\u0000"'],
  ['\ud800', '"\\ud800"'],
])('%j is written as %s', (value, text) => {
  expect(canonicalJson(value)).toBe(text);
});

test('keys that look like numbers or like prototypes are sorted as text', () => {
  expect(canonicalJson(JSON.parse('{"10":1,"9":2,"__proto__":3,"A":4,"a":5}'))).toBe(
    '{"10":1,"9":2,"A":4,"__proto__":3,"a":5}'
  );
});

test('any value has one text, whatever the order of its fields, and that text means the value', () => {
  const { int, pick } = random(1);
  const value = (depth: number): unknown => {
    if (depth === 0 || int(4) === 0) return pick([null, true, '', 'ä"\\', 0, -1.5, int(1e9), '\ud83d\ude00']);
    const items = Array.from({ length: int(5) }, () => value(depth - 1));
    return int(2) === 0
      ? items
      : Object.fromEntries(items.map((item, i) => [pick(['a', 'b', 'é', '1']) + String(i), item]));
  };
  const reversed = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(reversed);
    if (typeof item !== 'object' || item === null) return item;
    return Object.fromEntries(
      Object.entries(item)
        .reverse()
        .map(([name, field]) => [name, reversed(field)])
    );
  };
  for (let round = 0; round < 500; round++) {
    const original = value(4);
    const text = canonicalJson(original);
    expect(canonicalJson(reversed(original))).toBe(text);
    expect(JSON.parse(text)).toEqual(original);
  }
});
