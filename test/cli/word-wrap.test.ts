import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { showFailure } from '../../src/cli/failure-text.js';
import { wrapWords } from '../../src/cli/word-wrap.js';

test('lines are broken at blanks, and what follows is indented', () => {
  const lines = wrapWords('NoWorkers: No worker polls the queue, and so nothing is transferred until one does', 40);
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) expect(line.length).toBeLessThan(40);
  expect(lines.slice(1).every((line) => /^ {2}\S/.test(line))).toBe(true);
  expect(lines.map((line) => line.trim()).join(' ')).toContain('nothing is transferred until one does');
});

test.each([
  ['a URL', `see https://huggingface.co/${'x'.repeat(60)} for more of it`, `https://huggingface.co/${'x'.repeat(60)}`],
  [
    'a command',
    'Start one first, best of all now (model-prefetch worker --roles transfer), or wait',
    'model-prefetch worker --roles transfer',
  ],
  ['what is quoted', 'No worker polls the task queue "a queue with blanks" in it', '"a queue with blanks"'],
])('%s stays in one piece', (_case, text, piece) => {
  expect(wrapWords(text, 40).some((line) => line.includes(piece))).toBe(true);
});

test('a pipe gets a failure as it is', () => {
  const text = `StoreRefused: ${'word '.repeat(60)}`;
  expect(showFailure(text, new PassThrough())).toBe(text);
});
