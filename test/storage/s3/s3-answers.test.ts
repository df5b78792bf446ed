import { expect, test } from 'vitest';
import type { HttpAnswer } from '../../../src/core/http-answer.js';
import { areCredentialsEnded } from '../../../src/storage/s3/s3-credentials.js';
import { failureError, failureOf } from '../../../src/storage/s3/s3-errors.js';

const context = { action: 'read', bucket: 'models', endpoint: 'http://store', key: 'a/b' };
const said = (code: string): HttpAnswer => ({
  origin: 'http://store',
  status: 403,
  headers: {},
  text: `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`,
});

test.each(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired'])(
  '%s means that credentials have ended, which somebody can renew',
  (reason) => {
    expect(areCredentialsEnded(reason)).toBe(true);
    expect(failureError(failureOf(said(reason)), context)).toMatchObject({
      code: 'StoreUnavailable',
      message: expect.stringContaining('renew them') as string,
    });
  }
);

test.each(['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'Unknown'])(
  '%s does not mean that credentials have ended',
  (reason) => {
    expect(areCredentialsEnded(reason)).toBe(false);
    const error = failureError(failureOf(said(reason)), context);
    expect(error).toMatchObject({ code: 'StoreAccessDenied', permanent: true });
    expect(error.text).not.toContain('renew them');
    expect(error.details).toEqual({ bucket: 'models', endpoint: 'http://store', key: 'a/b', status: 403, reason });
  }
);

test('an answer without a code is told by its status', () => {
  expect(failureError(failureOf({ ...said(''), text: 'no XML' }), context).text).toContain('(no error code, HTTP 403)');
});
