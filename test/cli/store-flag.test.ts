import { describe, expect, test } from 'vitest';
import { readStoreFlag } from '../../src/cli/store-flag.js';

describe('readStoreFlag', () => {
  test.each([
    ['/data/models', 'file:///data/models/'],
    ['file:///data/models', 'file:///data/models/'],
    ['s3://bucket/models', 's3://bucket/models/'],
  ])('takes %s as the root %s', (value, root) => {
    expect(readStoreFlag('--store', value)).toBe(root);
  });

  test.each(['file://host/models', 's3://', 's3://bucket/a/../b', 's3://buc ket/x', 'models'])(
    'refuses %s by naming the flag',
    (value) => {
      expect(() => readStoreFlag('--store', value)).toThrow(/^InvalidInput: --store: /);
    }
  );

  test('says which schemes there are for one that there is not', () => {
    expect(() => readStoreFlag('--raw-data-path', 'gs://bucket/models')).toThrow(
      /^InvalidInput: --raw-data-path: .*s3:\/\/.*Google Cloud Storage is not in this version/
    );
  });
});
