import { describe, expect, test } from 'vitest';
import {
  compareVllmVersions,
  describeRange,
  isInRange,
  parseVllmVersion,
} from '../../../src/shard/layout/vllm-version.js';

test.each([
  ['0.14.0', [0, 14, 0]],
  ['1.0.12', [1, 0, 12]],
  ['0.14', undefined],
  ['v0.14.0', undefined],
  ['0.14.0rc1', undefined],
  ['0.14.0.1', undefined],
  ['0.14.0\n', undefined],
  ['99999.0.0', undefined],
  ['main-ae25628995', undefined],
  ['', undefined],
])('%j is the release %j', (text, expected) => {
  expect(parseVllmVersion(text)).toEqual(expected);
});

test('releases are in the order of their numbers, not of their letters', () => {
  const releases = ['0.9.2', '0.14.0', '0.14.1', '0.20.0', '0.100.0', '1.0.0'];
  expect([...releases].reverse().sort(compareVllmVersions)).toEqual(releases);
  expect(compareVllmVersions('0.14.0', '0.14.0')).toBe(0);
});

describe('a range', () => {
  const range = { from: '0.14.0', to: '0.19.1' };

  test.each(['0.14.0', '0.14.1', '0.15.9', '0.19.0', '0.19.1'])('holds %s', (release) => {
    expect(isInRange(release, range)).toBe(true);
  });

  test.each(['0.13.9', '0.19.2', '0.20.0', '1.14.0', 'main-ae25628995', '0.15', ''])('does not hold %j', (release) => {
    expect(isInRange(release, range)).toBe(false);
  });

  test('of a commit holds that commit and no release', () => {
    const commit = { from: 'main-ae25628995', to: 'main-ae25628995' };
    expect(isInRange('main-ae25628995', commit)).toBe(true);
    expect(isInRange('main-0000000000', commit)).toBe(false);
    expect(isInRange('0.0.0', commit)).toBe(false);
    expect(isInRange('0.32.0', commit)).toBe(false);
  });

  test('is described by both ends, or by the one release that it is', () => {
    expect(describeRange(range)).toBe('0.14.0 to 0.19.1');
    expect(describeRange({ from: '0.13.0', to: '0.13.0' })).toBe('0.13.0');
  });
});
