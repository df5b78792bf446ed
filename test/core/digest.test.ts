import { expect, test } from 'vitest';
import { digestKey } from '../../src/core/digest.js';

test('a digest is named by its algorithm, so that a git blob id never passes for a SHA-256', () => {
  const hex = 'ab'.repeat(20);
  expect(digestKey({ algorithm: 'sha256', hex })).toBe(`sha256:${hex}`);
  expect(digestKey({ algorithm: 'gitSha1', hex })).toBe(`gitSha1:${hex}`);
});
