import { expect, test } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import { checkRepoPath } from '../../src/core/repo-path.js';

test.each([
  'config.json',
  'a/b/c/d/e/f.bin',
  'with space/and#hash/and%25percent?.txt',
  'ünïcödé/模型/😀.safetensors',
  '.gitattributes',
  '.hidden/file',
  '...',
  'a..b/..c/d..',
  '~/file',
  'C:/file',
  'a'.repeat(900),
  '.prefetchx/file',
  'sub/.prefetch/manifest.json',
])('takes %j as it is', (path) => {
  expect(() => {
    checkRepoPath(path);
  }).not.toThrow();
});

test.each([
  ['', 'is empty'],
  ['/etc/passwd', 'is absolute'],
  ['\\\\server\\share', 'backslash'],
  ['a\\..\\b', 'backslash'],
  ['..', 'segment'],
  ['../up', 'segment'],
  ['a/../../b', 'segment'],
  ['a/./b', 'segment'],
  ['a//b', 'segment'],
  ['a/', 'segment'],
  ['nul\u0000byte', 'control character'],
  ['line\nbreak', 'control character'],
  ['del\u007f', 'control character'],
  ['half \ud83d pair', 'well-formed'],
  ['a'.repeat(901), '900 bytes'],
  ['日'.repeat(301), '900 bytes'],
  ['.prefetch', '.prefetch/'],
  ['.prefetch/manifest.json', '.prefetch/'],
])('refuses %j, for it %s', (path, reason) => {
  expect(failureOf(path)).toMatch(/^UnsafePath: /);
  expect(failureOf(path)).toContain(reason);
});

test('quotes a path so that it cannot forge a line of a log, and cuts it', () => {
  const message = failureOf(`evil\nUnsafePath: nothing to see${'x'.repeat(5000)}`);
  expect(message).not.toContain('\n');
  expect(message.length).toBeLessThan(400);
});

function failureOf(path: string): string {
  try {
    checkRepoPath(path);
  } catch (error) {
    if (isPrefetchError(error, 'UnsafePath')) return error.message;
  }
  throw new Error(`No UnsafePath for ${JSON.stringify(path)}`);
}
