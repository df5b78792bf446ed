import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { toFailure } from '../../src/activities/failures.js';
import { PrefetchError } from '../../src/core/errors.js';

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
