import { expect, test } from 'vitest';

import { isPrefetchError } from '../../src/core/errors.js';
import { formatStoreUrl, objectUrl, parseStoreUrl } from '../../src/storage/index.js';

test.each([
  ['s3://bucket', { scheme: 's3', bucket: 'bucket', prefix: '' }, 's3://bucket/'],
  ['s3://bucket/', { scheme: 's3', bucket: 'bucket', prefix: '' }, 's3://bucket/'],
  ['S3://bucket/a/b', { scheme: 's3', bucket: 'bucket', prefix: 'a/b/' }, 's3://bucket/a/b/'],
  ['s3://bucket/my%20models//', { scheme: 's3', bucket: 'bucket', prefix: 'my models/' }, 's3://bucket/my%20models/'],
  ['file:///', { scheme: 'file', path: '/' }, 'file:///'],
  ['file:///data/models', { scheme: 'file', path: '/data/models' }, 'file:///data/models/'],
  ['file:///data/a b%23/', { scheme: 'file', path: '/data/a b#' }, 'file:///data/a%20b%23/'],
])('reads %s', (root, parsed, formatted) => {
  expect(parseStoreUrl(root)).toEqual(parsed);
  expect(formatStoreUrl(parseStoreUrl(root))).toBe(formatted);
});

test.each(['gs://bucket/x', 'https://host/x', 'az://container', '/data/models', 'models', 'C:\\models', ''])(
  'refuses %j as an unsupported store and names the supported ones',
  (root) => {
    expect(() => parseStoreUrl(root)).toThrow(/^UnsupportedStore: .*s3:\/\/.*file:\/\/\//);
  }
);

test('names the scheme that it does not know', () => {
  expect(() => parseStoreUrl('gs://bucket/x')).toThrow('gs://');
});

test.each([
  's3://',
  's3:///prefix',
  's3://bu cket/x',
  's3://bucket/a/../b',
  's3://bucket//a',
  's3://bucket/100%/x',
  's3://bucket/a?versionId=1',
  's3://bucket/a#b',
  's3://user:secret@bucket/a',
  'file://relative/folder',
  'file:///a/../b',
  'file:///a%2F..%2Fb',
  'file:///a%00b',
  'file:///a?b',
])('refuses %s as invalid input', (root) => {
  let caught: unknown;
  try {
    parseStoreUrl(root);
  } catch (error) {
    caught = error;
  }
  expect(isPrefetchError(caught, 'InvalidInput')).toBe(true);
});

test('percent-encodes every segment of a key and keeps its slashes', () => {
  expect(objectUrl('s3://bucket/models/', "a b/c#1/100%/+('x')*!/é")).toBe(
    's3://bucket/models/a%20b/c%231/100%25/%2B%28%27x%27%29%2A%21/%C3%A9'
  );
  expect(objectUrl('file:///data/', 'a/')).toBe('file:///data/a/');
});
