import { ActivityFailure, ApplicationFailure, CancelledFailure, RetryState, TimeoutFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { failedOrLate } from '../../src/workflows/failures.js';

test.each([
  ['failed by its own word', ApplicationFailure.create({ message: 'HubUnavailable: 503' }), true],
  ['found no worker', new TimeoutFailure('late', undefined, 'SCHEDULE_TO_START'), true],
  ['ran out of all its time', new TimeoutFailure('late', undefined, 'SCHEDULE_TO_CLOSE'), true],
  ['was heard of no more', new TimeoutFailure('late', undefined, 'HEARTBEAT'), true],
  ['was cancelled', new CancelledFailure('cancelled'), false],
])('a step that %s is told from one that was cancelled', (_how, cause, expected) => {
  const failure = new ActivityFailure('failed', 'streamFiles', 'batch-0', RetryState.TIMEOUT, undefined, cause);
  expect(failedOrLate(failure)).toBe(expected);
  expect(failedOrLate(cause)).toBe(false);
});
