import { expect, test } from 'vitest';
import { askedRange } from '../../src/dev-hub/byte-range.js';

test.each([
  ['bytes=0-0', 0, 1],
  ['bytes=2-4', 2, 5],
  ['bytes=7-', 7, 10],
  ['bytes=-3', 7, 10],
  ['bytes=-30', 0, 10],
  ['bytes=5-500', 5, 10],
])('%s of 10 bytes is [%i, %i)', (header, start, end) => {
  expect(askedRange(header, 10)).toEqual({ kind: 'part', start, end });
});

test.each([undefined, 'bytes=-', 'bytes=4-2', 'bytes=0-1,4-5', 'chunks=0-1', 'bytes=a-b', ''])(
  'the header %s is ignored',
  (header) => {
    expect(askedRange(header, 10)).toEqual({ kind: 'whole' });
  }
);

test.each(['bytes=10-', 'bytes=10-20', 'bytes=-0'])('%s of 10 bytes cannot be satisfied', (header) => {
  expect(askedRange(header, 10)).toEqual({ kind: 'unsatisfiable' });
});

test('an empty file is answered whole, whatever is asked', () => {
  expect(askedRange('bytes=0-0', 0)).toEqual({ kind: 'whole' });
});
