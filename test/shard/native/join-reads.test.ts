import { describe, expect, test } from 'vitest';
import { joinNeighbours } from '../../../src/shard/native/join-reads.js';
import type { SourceRead } from '../../../src/shard/native/window-reads.js';

const READ_BYTES = 1000;

function readOf(start: number, end: number, change: Partial<SourceRead> = {}): SourceRead {
  const moves = [{ kind: 'run', from: 0, length: end - start, to: start, slots: [0] }] as const;
  return { file: 0, start, end, dtype: 'BF16', target: 'BF16', moves, ...change };
}

function ranges(reads: readonly SourceRead[]): string[] {
  return joinNeighbours(reads, READ_BYTES).map(({ file, start, end }) => `${file}:${start}-${end}`);
}

describe('reads', () => {
  test('that follow each other become one, in whatever order they come', () => {
    expect(ranges([readOf(200, 300), readOf(0, 100), readOf(100, 200)])).toEqual(['0:0-300']);
  });

  test('keep their places in it, counted after the cast', () => {
    const [joined] = joinNeighbours([readOf(0, 100, { dtype: 'F32' }), readOf(100, 200, { dtype: 'F32' })], READ_BYTES);
    expect(joined?.moves.map(({ from, to }) => [from, to])).toEqual([
      [0, 0],
      [50, 100],
    ]);
  });

  test('stay two where there is a gap', () => {
    expect(ranges([readOf(0, 100), readOf(101, 200)])).toEqual(['0:0-100', '0:101-200']);
  });

  test('stay two in two files', () => {
    expect(ranges([readOf(0, 100), readOf(100, 200, { file: 1 })])).toEqual(['0:0-100', '1:100-200']);
  });

  test('stay two where their elements differ', () => {
    expect(ranges([readOf(0, 100), readOf(100, 200, { dtype: 'F16' })])).toEqual(['0:0-100', '0:100-200']);
  });

  test('stay two where what becomes of their elements differs', () => {
    const asSingles = [readOf(0, 100, { dtype: 'F32', target: 'F32' }), readOf(100, 200, { dtype: 'F32' })];
    expect(ranges(asSingles)).toEqual(['0:0-100', '0:100-200']);
  });

  test('stay two where one is a row that another window needs too', () => {
    const cut = { splitRow: 'a#1' };
    expect(ranges([readOf(0, 100, cut), readOf(100, 200)])).toHaveLength(2);
    expect(ranges([readOf(0, 100), readOf(100, 200, cut)])).toHaveLength(2);
  });

  test('stay two where both are big, for each of them can go straight to its place', () => {
    expect(ranges([readOf(0, 250), readOf(250, 500)])).toHaveLength(2);
    expect(ranges([readOf(0, 249), readOf(249, 800)])).toHaveLength(1);
    expect(ranges([readOf(0, 551), readOf(551, 800)])).toHaveLength(1);
  });

  test('are never larger than a read may be', () => {
    expect(ranges([readOf(0, 800), readOf(800, 1000)])).toEqual(['0:0-1000']);
    expect(ranges([readOf(0, 800), readOf(800, 1001)])).toEqual(['0:0-800', '0:800-1001']);
    const many = Array.from({ length: 35 }, (_, index) => readOf(100 * index, 100 * index + 100));
    expect(ranges(many)).toEqual(['0:0-1000', '0:1000-2000', '0:2000-3000', '0:3000-3500']);
  });
});
