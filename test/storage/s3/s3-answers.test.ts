import { expect, test } from 'vitest';
import type { HttpAnswer } from '../../../src/core/http-answer.js';
import { confirmPart } from '../../../src/storage/s3/s3-answers.js';
import { openSession } from '../../../src/storage/s3/s3-session.js';
import { failureError, failureOf } from '../../../src/storage/s3/s3-errors.js';
import { areCredentialsEnded } from '../../../src/storage/s3/s3-refusals.js';

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

test.each([
  ['<Error><Code>NoSuchUpload</Code></Error>', 'UploadNotFound'],
  ['<Error><Code>NoSuchBucket</Code></Error>', 'BucketNotFound'],
  // Of a proxy, as likely as not: the parts that are there must not be given up for it.
  ['404 page not found', 'StoreUnavailable'],
  ['', 'StoreUnavailable'],
])('a part that is answered 404 with %j is %s', async (text, code) => {
  const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
  const s3 = { endpoint: 'http://127.0.0.1:9', region: 'r', credentials };
  const { connection } = await openSession({ bucket: 'models', prefix: '' }, s3);
  const refused = { ...said(''), status: 404, text };
  const part = { partNumber: 1, position: 0, size: 5 };
  await expect(confirmPart(connection, { key: 'a/b', id: 'u' }, part, refused)).rejects.toMatchObject({ code });
  connection.client.destroy();
});
