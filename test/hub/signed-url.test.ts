import { describe, expect, test } from 'vitest';
import { usableMs } from '../../src/hub/signed-url.js';

const now = Date.UTC(2026, 6, 17, 10, 0, 0);
const minute = 60_000;

function usable(query: string): number {
  return usableMs(new URL(`https://cdn.example/x?${query}`), now);
}

describe('usableMs', () => {
  test.each([
    ['X-Amz-Date=20260717T100000Z&X-Amz-Expires=1800', 28 * minute],
    ['X-Amz-Date=20260717T095000Z&X-Amz-Expires=1800', 18 * minute],
    ['X-Goog-Date=20260717T100000Z&X-Goog-Expires=1800', 28 * minute],
    [`Expires=${String(now / 1000 + 1800)}&Signature=x&Key-Pair-Id=y`, 28 * minute],
  ])('takes two minutes off the life that %s gives', (query, expected) => {
    expect(usable(query)).toBe(expected);
  });

  test('never trusts a URL for longer than 45 minutes', () => {
    expect(usable('X-Amz-Date=20260717T100000Z&X-Amz-Expires=604800')).toBe(45 * minute);
  });

  test('uses four fifths of a short life', () => {
    expect(usable('X-Amz-Date=20260717T100000Z&X-Amz-Expires=60')).toBe(48_000);
  });

  test('gives a URL that is over one second, so that its refusal decides', () => {
    expect(usable('X-Amz-Date=20260717T080000Z&X-Amz-Expires=60')).toBe(1_000);
  });

  test.each(['', 'Expires=soon', 'X-Amz-Date=today&X-Amz-Expires=60', 'X-Amz-Date=20260717T100000Z'])(
    'takes the longest life where "%s" says nothing',
    (query) => {
      expect(usable(query)).toBe(45 * minute);
    }
  );
});
