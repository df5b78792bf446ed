import { ServiceError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { describeAnswer, isOutage } from '../../src/starter/server-answers.js';

const answer = (code: number) =>
  new ServiceError('Failed', { cause: Object.assign(new Error(), { code, details: 'so it is', metadata: {} }) });

test.each([
  ['UNKNOWN', 2, true],
  ['DEADLINE_EXCEEDED', 4, true],
  ['RESOURCE_EXHAUSTED', 8, true],
  ['INTERNAL', 13, true],
  ['UNAVAILABLE', 14, true],
  ['INVALID_ARGUMENT', 3, false],
  ['NOT_FOUND', 5, false],
  ['PERMISSION_DENIED', 7, false],
  ['UNAUTHENTICATED', 16, false],
])('%s is told by its name; that %i passes by itself: %s', (name, code, passes) => {
  const error = answer(code);
  expect(isOutage(error)).toBe(passes);
  expect(describeAnswer(error)).toBe(`${name}: so it is`);
});

test('what is no answer of a server is no outage', () => {
  expect(isOutage(new TypeError('a fault of ours'))).toBe(false);
});
