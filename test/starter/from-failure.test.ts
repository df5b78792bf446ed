import { ApplicationFailure, defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { expect, test } from 'vitest';
import { toFailure } from '../../src/starter/to-failure.js';
import { PrefetchError, type ErrorDetails } from '../../src/core/errors.js';
import { noteSecret } from '../../src/core/secrets.js';
import { fromFailure } from '../../src/starter/from-failure.js';

const known = { workflowId: 'prefetch/org/model' };

/** What the other side of the wire gets. */
function sent(failure: Error): Error {
  const wire = defaultFailureConverter.errorToFailure(failure, defaultPayloadConverter);
  return defaultFailureConverter.failureToError(wire, defaultPayloadConverter);
}

function detailsOf(...details: unknown[]): ErrorDetails | undefined {
  return fromFailure(ApplicationFailure.nonRetryable('DiskFull: x', 'DiskFull', ...details), {})?.details;
}

test.each<[string, ErrorDetails]>([
  ['Could not write "a" in bucket b: check the keys', { bucket: 'b', status: 403, multipart: true, problems: ['a'] }],
  ['StoreAccessDenied: as somebody else said', {}],
  ['', {}],
])('an error that went over the wire is the same again: %j', (text, details) => {
  const error = new PrefetchError('StoreAccessDenied', text, { details });
  const again = fromFailure(sent(toFailure(error)), known);
  expect(again).toMatchObject({ code: error.code, text, message: error.message, permanent: true });
  expect(again?.details).toEqual({ ...details, ...known });
});

test('what the reader knows is told, whatever the failure says of it', () => {
  const details = { workflowId: 'of somebody else' };
  expect(fromFailure(toFailure(new PrefetchError('Internal', 'x', { details })), known)?.details).toEqual(known);
});

test.each([
  ['DiskFull: full', 'full'],
  ['full', 'full'],
  ['It said DiskFull: full', 'It said DiskFull: full'],
  ['DiskFull', 'DiskFull'],
])('the code is taken from the start of a message only: %j', (message, text) => {
  expect(fromFailure(ApplicationFailure.nonRetryable(message, 'DiskFull'), {})).toMatchObject({ text });
});

test.each<[string, unknown]>([
  ['no failure', new Error('DiskFull: x')],
  ['a failure by another code', ApplicationFailure.nonRetryable('x', 'SomebodyElses')],
  ['a failure by the name of a method', ApplicationFailure.nonRetryable('x', 'toString')],
  ['a failure without a code', ApplicationFailure.nonRetryable('x')],
  ['an error of ours that went over no wire', new PrefetchError('DiskFull', 'x')],
  ['nothing', undefined],
])('%s is none of our failures', (_what, error) => {
  expect(fromFailure(error, known)).toBeUndefined();
});

test.each<[string, unknown[]]>([
  ['there are none', []],
  ['they are null', [null]],
  ['they are a text', ['key']],
  ['they are a list', [['key']]],
  ['they are an object of a class', [new Map([['key', 'a']])]],
  ['they come second', ['of somebody else', { key: 'a' }]],
])('details that are no plain object are left out: %s', (_what, details) => {
  expect(detailsOf(...details)).toEqual({});
});

test('fields that no error of ours may have are left out', () => {
  const details = { key: 'a', status: 403, nested: { key: 'a' }, mixed: ['a', 1], nothing: null, list: ['a'] };
  expect(detailsOf(details)).toEqual({ key: 'a', status: 403, list: ['a'] });
});

test('neither the text nor the details have a secret, also where a worker let one through', () => {
  noteSecret('a-secret-in-use');
  const said = 'https://cdn/x?Signature=abc a-secret-in-use';
  const failure = ApplicationFailure.nonRetryable(`DiskFull: ${said}`, 'DiskFull', { said, list: [said] });
  const error = fromFailure(failure, {});
  expect(error?.text).toBe('https://cdn/x?*** ***');
  expect(error?.details).toEqual({ said: error?.text, list: [error?.text] });
});
