import { describe, expect, it, test } from 'vitest';
import { amount, amountOf, duration, percent, rate } from '../../../src/cli/progress/figures.js';

const [KiB, MiB, GiB] = [1024, 1024 ** 2, 1024 ** 3];

describe('figures', () => {
  it.each([
    [1.5 * GiB, 4 * GiB, '1.5 of 4.0 GiB'],
    [0, 4 * GiB, '0.0 of 4.0 GiB'],
    [4 * GiB - 1, 4 * GiB, '3.9 of 4.0 GiB'],
    [37.26 * GiB, 96.1 * GiB, '37.2 of 96.1 GiB'],
    [137.6 * GiB, 640 * GiB, '137 of 640 GiB'],
    [210 * MiB, 512 * MiB, '210 of 512 MiB'],
    [300 * KiB, 4 * MiB, '0.2 of 4.0 MiB'],
    [2, 3, '2 of 3 B'],
    [5 * GiB, 4 * GiB, '4.0 of 4.0 GiB'],
  ])('%d of %d bytes read as %s', (bytes, total, text) => {
    expect(amountOf(bytes, total)).toBe(text);
  });

  it.each([
    [0, '0 B'],
    [12 * MiB, '12 MiB'],
    [1023.9 * MiB, '1.0 GiB'],
    [3.2 * GiB, '3.2 GiB'],
  ])('%d bytes read as %s', (bytes, text) => {
    expect(amount(bytes)).toBe(text);
  });

  it.each([
    [210.4 * MiB, '210 MiB/s'],
    [73.6 * MiB, '74 MiB/s'],
    [7.34 * MiB, '7.3 MiB/s'],
    [1.21 * GiB, '1.2 GiB/s'],
    [1023.9 * KiB, '1.0 MiB/s'],
    [512.4, '512 B/s'],
  ])('a rate of %d reads as %s', (bytesPerSecond, text) => {
    expect(rate(bytesPerSecond)).toBe(text);
  });

  test('only all of it is 100 %', () => {
    expect(percent(999, 1000)).toBe('99 %');
    expect(percent(1000, 1000)).toBe('100 %');
    expect(percent(0, 0)).toBe('100 %');
  });

  it.each([
    [7, '0:07'],
    [750.4, '12:30'],
    [10_800, '3:00:00'],
    [4 * 86_400 - 1, '95:59:59'],
    [19_796_045, '229 days'],
    [-1, '0:00'],
  ])('writes %d seconds as %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});
