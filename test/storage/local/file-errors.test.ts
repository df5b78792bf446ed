import { expect, test } from 'vitest';

import { PrefetchError } from '../../../src/core/errors.js';
import { fileError } from '../../../src/storage/local/file-errors.js';

test.each([
  ['ENOSPC', 'DiskFull'],
  ['EDQUOT', 'DiskFull'],
  ['EACCES', 'StoreAccessDenied'],
  ['EROFS', 'StoreAccessDenied'],
  ['ENOTDIR', 'StoreConflict'],
  ['EISDIR', 'StoreConflict'],
  ['ENAMETOOLONG', 'UnsafePath'],
  ['EIO', 'StoreUnavailable'],
])('reports %s as %s, with the path and the bytes that are needed', (system, code) => {
  const failure = Object.assign(new Error('failed'), { code: system, syscall: 'write' });
  const error = fileError(failure, { action: 'write', path: '/data/x', neededBytes: 12 });
  expect(error).toMatchObject({ code, details: { path: '/data/x', system, neededBytes: 12 } });
  expect(String(error)).toMatch(/write \/data\/x, which needs 12 bytes/);
});

test('leaves other errors as they are', () => {
  const context = { action: 'write', path: '/data/x' };
  for (const error of [new Error('a bug'), new PrefetchError('UnsafePath', 'x'), 'text']) {
    expect(fileError(error, context)).toBe(error);
  }
});
