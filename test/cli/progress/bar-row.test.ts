import { describe, expect, it } from 'vitest';
import type { LiveProgress } from '../../../src/client.js';
import { barRow, shortLabel } from '../../../src/cli/progress/bar-row.js';

const GiB = 1024 ** 3;
const progress: LiveProgress = {
  phase: 'transfer',
  fileCount: 14,
  totalBytes: 4 * GiB,
  filesDone: 3,
  bytesDone: 1.5 * GiB,
  cacheHit: false,
};
const moment = { progress, bytesPerSecond: 210 * 1024 ** 2, secondsLeft: 12 };

describe('barRow', () => {
  it.each([
    [140, 140 - 1],
    [100, 100 - 1],
    [80, 80 - 1],
    [60, 60 - 1],
    [40, 40 - 1],
    [20, 20 - 1],
  ])('fits %d columns', (columns, most) => {
    for (const filesDone of [0, 3, 14]) {
      const row = barRow({ ...moment, progress: { ...progress, filesDone } }, { columns });
      expect(row.length).toBeLessThanOrEqual(most);
      expect(row).toContain('37 %');
    }
  });

  it('gives the bar what the figures leave', () => {
    const barOf = (columns: number) => /[█░]+/.exec(barRow(moment, { columns }))?.[0].length ?? 0;
    expect(barOf(80)).toBeGreaterThanOrEqual(6);
    expect(barOf(140)).toBe(barOf(80) + 60);
  });

  it('leaves out the files first, then the time left, the rate, the bar', () => {
    const has = (columns: number) => {
      const row = barRow(moment, { columns });
      return ['of 4.0 GiB', '█', 'MiB/s', 'ETA', 'files'].filter((part) => row.includes(part)).length;
    };
    expect([80, 70, 60, 48, 40, 36].map(has)).toEqual([5, 4, 3, 2, 2, 1]);
  });

  it('keeps the length of the bar while figures come and grow', () => {
    const lengths = [
      { progress },
      moment,
      { ...moment, bytesPerSecond: 7.3 * 1024 ** 2, secondsLeft: 750 },
      { progress: { ...progress, filesDone: 0 } },
    ].map((each) => /[█░]+/.exec(barRow(each, { columns: 100 }))?.[0].length);
    expect(new Set(lengths).size).toBe(1);
  });

  it('puts the label of a run first, and says how a run ended', () => {
    expect(barRow(moment, { columns: 100, label: 'org/m' })).toMatch(/^org\/m {2}Transferring █/);
    const done = { progress: { ...progress, phase: 'done' as const }, took: { seconds: 21, fetchedBytes: 0 } };
    expect(barRow(done, { columns: 80 })).toBe('Done: 14 files, 4.0 GiB in 0:21');
    expect(barRow(done, { columns: 20 })).toBe('Done');
  });
});

describe('shortLabel', () => {
  it.each([
    ['org/model', 12, 'org/model'],
    ['meta-llama/Llama-3.1-8B', 16, '…Llama-3.1-8B'],
    ['mistralai/Mistral-7B-Instruct-v0.3', 12, 'Mistral-7B-…'],
  ])('%s in %d columns is %s', (label, room, text) => {
    expect(shortLabel(label, room)).toBe(text);
    expect(text.length).toBeLessThanOrEqual(room);
  });
});
