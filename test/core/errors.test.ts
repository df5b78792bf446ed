import { expect, test } from 'vitest';
import { isErrorCode, isPermanent, isPrefetchError, PrefetchError } from '../../src/core/errors.js';

test('the message starts with the code, so that every log and history has it', () => {
  const error = new PrefetchError('RepoNotFound', 'no repo "a/b"', { details: { repo: 'a/b' }, retryAfterMs: 5 });
  expect(error.message).toBe('RepoNotFound: no repo "a/b"');
  expect(error.name).toBe('PrefetchError');
  expect(error.code).toBe('RepoNotFound');
  expect(error.details).toEqual({ repo: 'a/b' });
  expect(error.retryAfterMs).toBe(5);
});

test('the message has line breaks of ours, and no other control characters', () => {
  expect(new PrefetchError('Internal', 'It said:\n\u001b[2Jlast').message).toBe('Internal: It said:\n\ufffd[2Jlast');
});

test('a cause is kept, and none is made up', () => {
  const cause = new Error('below');
  expect(new PrefetchError('Internal', 'above', { cause }).cause).toBe(cause);
  expect('cause' in new PrefetchError('Internal', 'above')).toBe(false);
});

test.each([
  ['InvalidInput', true],
  ['GatedRepo', true],
  ['DigestMismatch', true],
  ['RateLimited', false],
  ['HubUnavailable', false],
  ['StoreUnavailable', false],
  ['Internal', false],
] as const)('whether %s is permanent is part of the code: %s', (code, permanent) => {
  expect(isPermanent(code)).toBe(permanent);
  expect(new PrefetchError(code, 'x').permanent).toBe(permanent);
});

test.each(['toString', '__proto__', 'constructor', 'Unknown', '', 5, null, undefined, {}])(
  'knows that %j is no code',
  (value) => {
    expect(isErrorCode(value)).toBe(false);
  }
);

test('tells its own errors from others, and one code from another', () => {
  const error: unknown = new PrefetchError('DiskFull', 'x');
  expect(isErrorCode('DiskFull')).toBe(true);
  expect(isPrefetchError(error)).toBe(true);
  expect(isPrefetchError(error, 'DiskFull')).toBe(true);
  expect(isPrefetchError(error, 'Internal')).toBe(false);
  expect(isPrefetchError(new Error('DiskFull: x'))).toBe(false);
  expect(isPrefetchError(undefined)).toBe(false);
});
