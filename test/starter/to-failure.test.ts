import {
  ApplicationFailure,
  CancelledFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
} from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { toFailure } from '../../src/starter/to-failure.js';
import { PrefetchError } from '../../src/core/errors.js';
import { noteSecret } from '../../src/core/secrets.js';

describe('toFailure', () => {
  test('keeps code, message and permanence', () => {
    const failure = toFailure(new PrefetchError('GatedRepo', 'org/x is gated', { details: { repo: 'org/x' } }));
    expect(failure).toMatchObject({
      type: 'GatedRepo',
      message: 'GatedRepo: org/x is gated',
      nonRetryable: true,
      details: [{ repo: 'org/x' }],
    });
  });

  test('makes the time that the Hub asks for the delay before the next attempt', () => {
    const failure = toFailure(new PrefetchError('RateLimited', 'slow down', { retryAfterMs: 42_000 }));
    expect(failure).toMatchObject({ nonRetryable: false, nextRetryDelay: 42_000 });
  });

  test.each(['GatedRepo', 'RepoNotFound', 'RateLimited', 'HubUnavailable', 'StoreAccessDenied', 'DiskFull'] as const)(
    'calls %s benign: no fault of the worker, for its log and its metrics',
    (code) => {
      expect(toFailure(new PrefetchError(code, 'x'))).toMatchObject({ category: 'BENIGN' });
    }
  );

  test('calls what nobody expected a fault', () => {
    for (const error of [new TypeError('x'), new PrefetchError('Internal', 'x')]) {
      expect(toFailure(error)).toMatchObject({ type: 'Internal', category: undefined });
    }
  });

  test('leaves the cause out, which may hold a signed URL', () => {
    const cause = new Error('GET https://cdn/x?Signature=abc failed');
    const failure = toFailure(new PrefetchError('SourceUnavailable', 'reset', { cause }));
    expect(failure.cause).toBeUndefined();
    expect(JSON.stringify(failure)).not.toContain('Signature');
  });

  test('cuts queries and tokens out of errors that nobody expected', () => {
    const failure = toFailure(new TypeError('bad https://cdn/x?Signature=abc with hf_secretToken and Bearer abc.def'));
    expect(failure).toMatchObject({ type: 'Internal', nonRetryable: false });
    expect(failure.message).not.toMatch(/Signature|secretToken|abc\.def/);
  });

  test('passes on failures that Temporal made', () => {
    const cancelled = new CancelledFailure('cancelled');
    const application = ApplicationFailure.nonRetryable('x', 'GatedRepo');
    expect(toFailure(cancelled)).toBe(cancelled);
    expect(toFailure(application)).toBe(application);
  });
});

describe('what a failure says', () => {
  const header = `x${'ü😀'.repeat(3_000)}`;

  test.each<[string, unknown]>([
    [
      'an error of ours',
      new PrefetchError('HubUnavailable', header, { details: { errorCode: header, requestId: header } }),
    ],
    ['an error with many details', new PrefetchError('HubProtocol', 'x', { details: manyDetails(header) })],
    [
      'an error with a list of problems',
      new PrefetchError('InvalidInput', header, { details: { problems: list(header) } }),
    ],
    ['an error that nobody expected', new TypeError(header)],
    ['no error at all', header],
    [
      'a failure that was made elsewhere',
      ApplicationFailure.create({ message: header, type: 'VllmFailed', details: list(header) }),
    ],
  ])('is less than the 4 KiB that a server keeps of it: %s', (_, error) => {
    const failure = toFailure(error);
    const sent = defaultFailureConverter.errorToFailure(failure, defaultPayloadConverter);
    const payloads = sent.applicationFailureInfo?.details?.payloads ?? [];
    const bytes = payloads.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
    const texts = [sent.message, sent.stackTrace, sent.source, sent.applicationFailureInfo?.type];
    expect(Buffer.byteLength(texts.join('')) + bytes).toBeLessThan(3_700);
    expect(sent.cause ?? undefined).toBeUndefined();
    if (error instanceof PrefetchError) expect(failure.message).toMatch(new RegExp(`^${error.code}: `));
    expect(failure.message).toMatch(/^\w+: x|^x$|characters cut/);
  });

  test('has no secret, be it in its message, its details or the failure of somebody else', () => {
    noteSecret('a-secret-in-use');
    const text = 'it said a-secret-in-use, https://cdn/x?Signature=abc';
    const details = { reason: text, problems: ['fine', text] };
    for (const error of [
      new PrefetchError('HubProtocol', text, { details, cause: new Error(text) }),
      Object.assign(new Error(text), { name: text }),
      ApplicationFailure.create({ message: text, type: 'VllmFailed', details: [details], cause: new Error(text) }),
    ]) {
      const failure = toFailure(error);
      expect(JSON.stringify([failure, failure.message, failure.stack])).not.toMatch(/secret-in-use|Signature/);
      expect(failure.message).toContain('it said ***, https://cdn/x?***');
    }
  });

  test('keeps details that are short as they are', () => {
    const details = { bucket: 'b', status: 403, permanent: true, problems: ['a', 'b'], key: undefined };
    expect(toFailure(new PrefetchError('StoreAccessDenied', 'x', { details })).details).toEqual([details]);
  });
});

function list(text: string): string[] {
  return Array.from({ length: 50 }, (_, at) => `${String(at)} ${text}`);
}

function manyDetails(text: string): Record<string, string> {
  return Object.fromEntries(list(text).map((each, at) => [`detail${String(at)}`, each]));
}
