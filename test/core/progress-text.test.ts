import { expect, test } from 'vitest';
import type { PrefetchProgress } from '../../src/core/contract.js';
import { describeProgress, formatBytes } from '../../src/core/progress-text.js';

const progress: PrefetchProgress = {
  phase: 'transfer',
  repo: 'a/b',
  commit: 'c'.repeat(40),
  fileCount: 3,
  totalBytes: 3000,
  filesDone: 1,
  bytesDone: 1999,
  cacheHit: false,
};

test.each([
  [0, '0 B'],
  [1, '1 B'],
  [108.48044093220376, '108 B'],
  [1023, '1023 B'],
  [1023.7, '1.0 KiB'],
  [1024, '1.0 KiB'],
  [1536, '1.5 KiB'],
  [1024 ** 2 - 1, '1.0 MiB'],
  [8 * 1024 ** 2, '8.0 MiB'],
  [5 * 1024 ** 3, '5.0 GiB'],
  [3 * 1024 ** 5, '3072.0 TiB'],
])('%d bytes read as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('a running transfer says how far it is, rounded down, so that 100 % means done', () => {
  const text = describeProgress({ ...progress, bytesDone: 2999 });
  expect(text).toContain('| Phase | Transferring |');
  expect(text).toContain('| Files | 1 of 3 |');
  expect(text).toContain('(99 %)');
});

test('before the plan there is nothing to count', () => {
  const text = describeProgress({
    phase: 'authenticate',
    fileCount: 0,
    totalBytes: 0,
    filesDone: 0,
    bytesDone: 0,
    cacheHit: false,
  });
  expect(text).not.toContain('Files');
  expect(text).not.toContain('undefined');
});

test('a repo of empty files is complete at zero bytes', () => {
  expect(describeProgress({ ...progress, totalBytes: 0, bytesDone: 0 })).toContain('(100 %)');
});

test('it is a Markdown table: every line has as many cells as the head', () => {
  for (const line of describeProgress(progress).split('\n')) expect(line.match(/\|/g), line).toHaveLength(3);
});

test('a hit says that it is one', () => {
  expect(describeProgress({ ...progress, cacheHit: true })).toContain('cache hit');
});
