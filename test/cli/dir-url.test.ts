import { expect, test } from 'vitest';
import { readDirUrl } from '../../src/cli/dir-url.js';

test.each([
  ['/data/models', 'file:///data/models/'],
  ['s3://bucket/models', 's3://bucket/models/'],
])('%s is the folder %s', (value, url) => {
  expect(readDirUrl('DIR', value)).toBe(url);
});

test.each(['', 's3://', 's3://bucket/a/../b', 'gs://bucket/models'])(
  '"%s" is refused by naming the argument, whatever is wrong with it',
  (value) => {
    expect(() => readDirUrl('--to', value)).toThrow(/^InvalidInput: --to: (?!\w+: )/);
  }
);
