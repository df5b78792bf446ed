import { describe, expect, test } from 'vitest';
import { createLogTail, withoutSecrets } from '../../../../src/shard/vllm/driver/log-tail.js';

describe('the end of a log', () => {
  test('is its last hundred lines, however they came in', () => {
    const log = createLogTail();
    for (let line = 0; line < 250; line++) {
      log.add(`line ${line}`);
      log.add(line % 2 === 0 ? '\n' : '\r\n\n');
    }
    expect(log.lines()).toHaveLength(100);
    expect(log.lines(2)).toEqual(['line 248', 'line 249']);
  });

  test('has the line that is not ended yet', () => {
    const log = createLogTail();
    log.add('first\nRuntimeErr');
    log.add('or: last');
    expect(log.lines()).toEqual(['first', 'RuntimeError: last']);
  });

  test('takes each state of a progress bar for a line', () => {
    const log = createLogTail();
    log.add('10 %\r20 %\r30 %');
    expect(log.lines()).toEqual(['10 %', '20 %', '30 %']);
  });

  test('stays small when a line never ends', () => {
    const log = createLogTail();
    for (let piece = 0; piece < 1000; piece++) log.add('x'.repeat(10_000));
    expect(log.lines().join('').length).toBeLessThanOrEqual(500);
  });
});

describe('a line that may be shown', () => {
  test.each([
    ['\u001b[31mhf_abcdef\u001b[0mghijklmnop\u001b]0;x', 'hf_***\ufffd]0;x'],
    ['GET https://user:secret@host/path', 'GET https://***@host/path'],
    ['GET https://cdn/file?X-Amz-Signature=abc&x=1 failed', 'GET https://cdn/file?*** failed'],
    ['token hf_abcdefghijklmnop rejected', 'token hf_*** rejected'],
    ['key AKIAABCDEFGHIJKLMNOP', 'key AKIA***'],
    ['Authorization: Bearer abcdefgh.ijk', 'Authorization: Bearer ***'],
    ['{"password": "hunter22"}', '{"password": "***"}'],
    ['api_key=12345678', '***'],
    ['the token 5 is unknown', 'the token 5 is unknown'],
    ['File "/a/b.py", line 3, in load_weights', 'File "/a/b.py", line 3, in load_weights'],
  ])('%j becomes %j', (line, shown) => {
    expect(withoutSecrets(line)).toBe(shown);
  });
});
