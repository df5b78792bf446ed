import { describe, expect, test } from 'vitest';
import { isErrorCode, isPermanent, isPrefetchError, PrefetchError, rewrap } from '../../src/core/errors.js';
import { noteSecret } from '../../src/core/secrets.js';

test('the message starts with the code, so that every log and history has it', () => {
  const error = new PrefetchError('RepoNotFound', 'no repo "a/b"', { details: { repo: 'a/b' }, retryAfterMs: 5 });
  expect(error.message).toBe('RepoNotFound: no repo "a/b"');
  expect(error.text).toBe('no repo "a/b"');
  expect(error.name).toBe('PrefetchError');
  expect(error.code).toBe('RepoNotFound');
  expect(error.details).toEqual({ repo: 'a/b' });
  expect(error.retryAfterMs).toBe(5);
});

test('the message has line breaks of ours, and no other control characters', () => {
  expect(new PrefetchError('Internal', 'It said:\n\u001b[2Jlast').message).toBe('Internal: It said:\n\ufffd[2Jlast');
});

test('the text has no secret and no control character either', () => {
  noteSecret('a-secret-in-use');
  expect(new PrefetchError('Internal', 'a-secret-in-use\u001b').text).toBe('***\ufffd');
});

describe('an error that is wrapped anew', () => {
  const error = new PrefetchError('SourceUnavailable', 'it answered 503.', {
    details: { status: 503, key: 'a' },
    retryAfterMs: 5,
  });

  test('has other words, and keeps its code, its details, the wait and itself as the cause', () => {
    expect(rewrap(error, { text: `model.bin: ${error.text}` })).toMatchObject({
      code: 'SourceUnavailable',
      message: 'SourceUnavailable: model.bin: it answered 503.',
      details: { status: 503, key: 'a' },
      retryAfterMs: 5,
      cause: error,
    });
  });

  test('may get another code, with its permanence, and more details', () => {
    const text = 'nobody may read it';
    const anew = rewrap(error, { code: 'StoreAccessDenied', text, details: { key: 'b', store: 's3://c/' } });
    expect(anew.message).toBe('StoreAccessDenied: nobody may read it');
    expect(anew.permanent).toBe(true);
    expect(anew.details).toEqual({ status: 503, key: 'b', store: 's3://c/' });
  });

  test('has no wait where there was none', () => {
    expect(rewrap(new PrefetchError('Internal', 'x'), { text: 'y' }).retryAfterMs).toBeUndefined();
  });
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
