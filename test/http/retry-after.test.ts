import { expect, test } from 'vitest';
import { retryAfterMs } from '../../src/http/retry-after.js';

test('takes seconds, a date and the reset of a window', () => {
  expect(retryAfterMs({ 'retry-after': '7' })).toBe(7_000);
  expect(retryAfterMs({ 'retry-after': new Date(0).toUTCString() })).toBe(0);
  expect(retryAfterMs({ ratelimit: '"api";r=0;t=9' })).toBe(10_000);
  expect(retryAfterMs({ 'retry-after': 'soon' })).toBeUndefined();
});

test.each(['999999999', '9'.repeat(400), 'Fri, 31 Dec 9999 23:59:59 GMT'])(
  'never waits longer than an hour, though asked to by Retry-After: %s',
  (value) => {
    expect(retryAfterMs({ 'retry-after': value })).toBe(3_600_000);
  }
);
