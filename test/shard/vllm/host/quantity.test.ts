import { describe, expect, test } from 'vitest';
import { formatBytes, parseQuantity } from '../../../../src/shard/vllm/host/quantity.js';

describe('a quantity of Kubernetes', () => {
  test.each([
    ['32', 32],
    ['500m', 0.5],
    ['1.5', 1.5],
    ['256Gi', 256 * 2 ** 30],
    ['1Ti', 2 ** 40],
    ['512Ki', 512 * 1024],
    ['10M', 10_000_000],
    ['2T', 2e12],
  ])('%s is %d', (text, expected) => {
    expect(parseQuantity(text)).toBe(expected);
  });

  test.each(['', 'Gi', '-1', '1 Gi', '1GiB', '1e3', '0x10'])('%j is refused by name', (text) => {
    expect(() => parseQuantity(text)).toThrow(
      `InvalidInput: Expected a quantity such as "32" or "256Gi", got "${text}"`
    );
  });

  test('bytes are shown as people write them', () => {
    expect([formatBytes(2 ** 30), formatBytes(1.25 * 2 ** 30), formatBytes(3 * 2 ** 20), formatBytes(1)]).toEqual([
      '1.0Gi',
      '1.3Gi',
      '3Mi',
      '1Mi',
    ]);
  });
});
