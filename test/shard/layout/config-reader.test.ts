import { describe, expect, test } from 'vitest';
import { readField } from '../../../src/shard/layout/config-reader.js';
import { refusal } from '../../helpers/refusal.js';

describe('config.json', () => {
  test.each([undefined, null, [], 'text', 7, true])('that is %j is refused', (value) => {
    expect(refusal(() => readField(value))).toMatchObject({ code: 'UnsupportedSharding', reason: 'config' });
  });

  test('has only the fields that are its own', () => {
    const config = readField({});
    for (const field of ['constructor', 'toString', '__proto__']) expect(config.has(field)).toBe(false);
  });

  test.each([
    ['text', { field: '8' }],
    ['zero', { field: 0 }],
    ['less than zero', { field: -8 }],
    ['a fraction', { field: 1.5 }],
    ['too much to count', { field: 2 ** 31 }],
    ['more than a safe integer', { field: 2 ** 60 }],
    ['no number', { field: NaN }],
    ['endless', { field: Infinity }],
    ['a list', { field: [8] }],
    ['an object', { field: { value: 8 } }],
    ['true', { field: true }],
  ])('is refused by the name of a field whose count is %s', (_what, value) => {
    const config = readField(value);
    const ways = [() => config.count('field'), () => config.countOr('field', { absent: 1, empty: 2 })];
    for (const way of ways) {
      expect(refusal(way)).toMatchObject({
        reason: 'config',
        details: { field: 'field' },
        message: expect.stringContaining('field') as string,
      });
    }
  });

  test('may count up to a limit, and the refusal names both numbers', () => {
    const config = readField({ layers: 1024 });
    expect(config.count('layers', 1024)).toBe(1024);
    expect(refusal(() => config.count('layers', 1023)).message).toMatch(/a layers of 1024; the most is 1023/);
    expect(readField({ most: 2 ** 31 - 1 }).count('most')).toBe(2 ** 31 - 1);
  });

  test.each([{}, { field: null }])('lacks a count in %j', (value) => {
    expect(refusal(() => readField(value).count('field'))).toMatchObject({
      reason: 'config',
      details: { field: 'field' },
      message: expect.stringMatching(/lacks the field field/) as string,
    });
  });

  test('may leave a count out or empty, and these are two cases', () => {
    const defaults = { absent: 1, empty: 2 };
    expect(readField({ field: 3 }).countOr('field', defaults)).toBe(3);
    expect(readField({}).countOr('field', defaults)).toBe(1);
    expect(readField({ field: null }).countOr('field', defaults)).toBe(2);
  });

  test('has an amount from zero on, where absent and null are zero', () => {
    expect([{}, { field: null }, { field: 0 }, { field: 5 }].map((value) => readField(value).amount('field'))).toEqual([
      0, 0, 0, 5,
    ]);
    expect(refusal(() => readField({ field: -1 }).amount('field'))).toMatchObject({ reason: 'config' });
  });

  test.each([
    ['flag', { field: 'true' }],
    ['flag', { field: 1 }],
    ['text', { field: 1 }],
    ['text', { field: ['a'] }],
    ['list', { field: 'a' }],
    ['list', { field: { 0: 'a' } }],
    ['object', { field: [] }],
    ['object', { field: 'a' }],
  ] as const)('has no %s in %j', (kind, value) => {
    expect(refusal(() => readField(value)[kind]('field', false))).toMatchObject({
      reason: 'config',
      details: { field: 'field' },
    });
  });

  test('takes null for absent where no default says otherwise', () => {
    const config = readField({ field: null });
    expect(config.has('field')).toBe(false);
    expect([config.flag('field', true), config.flag('field', false)]).toEqual([true, false]);
    expect([config.text('field'), config.list('field'), config.object('field')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('gives what is there', () => {
    const config = readField({ flag: false, text: 'a', list: [1], object: { a: 1 } });
    expect(config.flag('flag', true)).toBe(false);
    expect(config.text('text')).toBe('a');
    expect(config.list('list')).toEqual([1]);
    expect(config.object('object')).toEqual({ a: 1 });
  });
});
