import { describe, expect, test } from 'vitest';
import { resolveDestination, type DestinationPolicy } from '../../src/steps/destination.js';

const CLUSTER: DestinationPolicy = {
  store: 's3://bucket/models/',
  allowedRoots: ['s3://team/', 'file:///shared/'],
  anywhere: false,
  files: false,
};

describe('resolveDestination', () => {
  test("takes the worker's store when the input names no destination", () => {
    expect(resolveDestination(undefined, CLUSTER)).toBe('s3://bucket/models/');
  });

  test.each(['s3://bucket/models', 's3://bucket/models/team', 's3://team/x/'])('allows %s under its roots', (path) => {
    expect(resolveDestination(path, CLUSTER)).toBe(path.endsWith('/') ? path : `${path}/`);
  });

  test.each([
    's3://bucket/modelsX',
    's3://bucket',
    's3://other/models',
    's3://bucket/models/../secret',
    's3://bucket/models/%2e%2E/secret',
  ])('refuses %s, which is under none of its roots', (path) => {
    expect(() => resolveDestination(path, CLUSTER)).toThrow(/^DestinationNotAllowed: /);
  });

  test('refuses a folder on a cluster unless all workers share it', () => {
    expect(() => resolveDestination('file:///shared/models', CLUSTER)).toThrow(/MODEL_PREFETCH_SHARED_FILES/);
    expect(resolveDestination('file:///shared/models', { ...CLUSTER, files: true })).toBe('file:///shared/models/');
  });

  test('lets the embedded user write anywhere', () => {
    const embedded = { store: 'file:///home/store/', allowedRoots: [], anywhere: true, files: true };
    expect(resolveDestination('file:///anywhere', embedded)).toBe('file:///anywhere/');
  });

  test('says what to set when there is no store at all', () => {
    const none = { store: undefined, allowedRoots: [], anywhere: false, files: false };
    expect(() => resolveDestination(undefined, none)).toThrow(/MODEL_PREFETCH_STORE/);
  });
});
