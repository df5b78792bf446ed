import { expect, test } from 'vitest';
import { requireAt, requireKey } from '../../src/core/require-at.js';

test('what is there is given, whatever it is', () => {
  expect(requireAt([0, ''], 1)).toBe('');
  expect(requireKey(new Map([['a', 0]]), 'a')).toBe(0);
});

test('a hole is told with its place', () => {
  expect(() => requireAt(['a'], 1)).toThrow('nothing at 1 of 1');
  expect(() => requireAt(['a'], -1)).toThrow('nothing at -1 of 1');
  expect(() => requireKey(new Map<string, number>(), 'a')).toThrow('nothing under a');
});
