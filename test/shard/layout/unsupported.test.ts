import { expect, test } from 'vitest';
import { PrefetchError } from '../../../src/core/errors.js';
import { unsupported, withWayOut } from '../../../src/shard/layout/unsupported.js';
import { refusal } from '../../helpers/refusal.js';

test('a refusal says in one line why, and tells its reason to programs', () => {
  const error = unsupported('architecture', 'X\nis none of those', { architecture: 'X' });
  expect(error).toMatchObject({
    code: 'UnsupportedSharding',
    text: 'X is none of those',
    details: { reason: 'architecture', architecture: 'X' },
  });
});

test('a refusal tells the way out to whom no other engine is tried for', () => {
  const error = unsupported('architecture', 'X is none of those');
  const { reason, message } = refusal(() => withWayOut(error));
  expect(reason).toBe('architecture');
  expect(message).toBe(
    'UnsupportedSharding: X is none of those. The native engine shards verified cases only; ' +
      'engine vllm (or auto, which falls back to it) can take others'
  );
});

test('a failure that is no refusal has no way out', () => {
  const error = new PrefetchError('InvalidSafetensors', 'x');
  expect(() => withWayOut(error)).toThrow(error);
});
