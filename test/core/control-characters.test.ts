import { describe, expect, test } from 'vitest';
import { oneLine, withoutControls } from '../../src/core/control-characters.js';

describe('text of others in one line', () => {
  test.each([
    ['a line break, which would forge a line', 'a\r\nCode: b\n\nc', 'a Code: b c'],
    ['a tab', 'a\tb', 'a b'],
    ['an escape sequence', '\u001b]0;title\u0007', '\ufffd]0;title\ufffd'],
    ['the same of C1', '\u009b2J', '\ufffd2J'],
    ['delete and zero', '\u007f\u0000', '\ufffd\ufffd'],
    ['a turn of direction', 'a\u202egpj.exe\u2066', 'a\ufffdgpj.exe\ufffd'],
    ['line and paragraph separators', 'a\u2028b\u2029c', 'a\ufffdb\ufffdc'],
  ])('has no more of %s', (_what, text, shown) => {
    expect(oneLine(text)).toBe(shown);
  });

  test('loses its colours without a trace', () => {
    expect(oneLine('\u001b[0;36m(EngineCore)\u001b[0m failed')).toBe('(EngineCore) failed');
  });

  test('keeps its indent, and every letter', () => {
    expect(oneLine('  File "ä", 模型 🙂')).toBe('  File "ä", 模型 🙂');
  });
});

test('text of several lines keeps them, and nothing else that controls', () => {
  expect(withoutControls('first\r\n\tsecond\n\u001b[31mred\rback')).toBe('first\n\tsecond\n\ufffd[31mred\ufffdback');
});
