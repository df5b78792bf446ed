import { expect, test } from 'vitest';
import { judgeCodecFailure } from '../../src/core/codec-failures.js';

test.each<[string, unknown]>([
  ['a connection that is refused', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })],
  ['a fetch that fails', new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ENOTFOUND' }) })],
  ['a 503 of a key service', Object.assign(new Error('sorry'), { $metadata: { httpStatusCode: 503 } })],
  ['a key service that says it is away', new Error('cannot decrypt: KMS temporarily unavailable')],
])('%s passes', (_name, error) => {
  expect(judgeCodecFailure(error)).toBe('passing');
});

test.each<[string, unknown]>([
  ['the tag of AES-GCM', new Error('Unsupported state or unable to authenticate data')],
  ['Web Crypto', new DOMException('The operation failed for an operation-specific reason', 'OperationError')],
  ['a codec that does not know the key', new Error('Unknown key ID "2024"')],
])('what %s says of a wrong key lasts', (_name, error) => {
  expect(judgeCodecFailure(error)).toBe('lasting');
});

test('anything else is not known', () => {
  expect(judgeCodecFailure(new Error('boom'))).toBe('unknown');
  expect(judgeCodecFailure('boom')).toBe('unknown');
});
