import { beforeEach, expect, test, vi } from 'vitest';

import { isPermanent, type ErrorCode } from '../../../src/core/errors.js';
import { openStore } from '../../../src/storage/index.js';
import { refusalText, startRefusing, type StoreRefusal } from '../../helpers/refusing-server.js';

type Row = readonly [status: number, code: string, expected: ErrorCode, advice?: RegExp, message?: string];

const full = /free some space/;
const key = /MODEL_PREFETCH_S3_SSE_KMS_KEY_ID/;
const denied = /may get, put, list and delete/;

/** As AWS says it: with the user and the place, whose names may be any. */
function lacking(right: string, place: string): string {
  return (
    `User: arn:aws:iam::123456789012:user/kms-quota is not authorized to perform: s3:${right} on resource: ` +
    `"arn:aws:s3:::${place}" because no identity-based policy allows the s3:${right} action`
  );
}

const rows: readonly Row[] = [
  // Full
  [507, 'XMinioStorageFull', 'StorageFull', full],
  [507, 'InsufficientStorage', 'StorageFull', full],
  [400, 'XMinioAdminBucketQuotaExceeded', 'StorageFull', full],
  [403, 'QuotaExceeded', 'StorageFull', full],
  [403, 'UserQuotaExceeded', 'StorageFull', full],
  [400, 'BucketQuotaExceeded', 'StorageFull', full],
  [409, 'StorageLimitExceeded', 'StorageFull', full],
  [403, 'StorageCapExceeded', 'StorageFull', full],
  [403, 'AccessDenied', 'StorageFull', full, 'Size quota is reached, maximum total size of objects for this bucket'],
  // Too large
  [413, '', 'ObjectTooLarge', /client_max_body_size/],
  [400, 'EntityTooLarge', 'ObjectTooLarge', /client_max_body_size/],
  // Archived
  [403, 'InvalidObjectState', 'ObjectArchived', /restore it/],
  [403, 'ObjectNotInActiveTierError', 'ObjectArchived', /restore it/],
  // Keys
  [400, 'KMS.DisabledException', 'EncryptionKeyRefused', key],
  [400, 'KMS.NotFoundException', 'EncryptionKeyRefused', key],
  [400, 'KMS.KMSInvalidStateException', 'EncryptionKeyRefused', key],
  [400, 'KMSKeyNotFoundException', 'EncryptionKeyRefused', key],
  [
    403,
    'AccessDenied',
    'EncryptionKeyRefused',
    key,
    'User: arn:aws:sts::1:assumed-role/r is not authorized to perform: kms:GenerateDataKey on this resource',
  ],
  [400, 'KMS.ThrottlingException', 'StoreUnavailable'],
  [503, 'KMS.KeyUnavailableException', 'StoreUnavailable'],
  [501, 'KMSNotConfigured', 'EncryptionKeyRefused', key],
  [403, 'AccessDenied', 'EncryptionKeyRefused', key, 'The requester may not use the KMS key of this bucket'],
  // Rights
  [403, 'AccessDenied', 'StoreAccessDenied', denied, lacking('ListBucketMultipartUploads', 'kms-models')],
  [403, 'AccessDenied', 'StoreAccessDenied', denied, lacking('PutObject', 'quota-models/no space')],
  [403, 'AccessDenied', 'StoreAccessDenied', denied, lacking('GetObject', 'models/docs/path-style.md')],
  [403, 'AccessDenied', 'StoreAccessDenied', denied, lacking('GetObject', 'models/kms:Decrypt')],
  [403, 'AccessDenied', 'StoreAccessDenied', denied, 'User kms may not write to bucket quota-kms'],
  [403, 'Forbidden', 'StoreAccessDenied', denied, "No right to read 'quota is reached/virtual-hosted-style'"],
  [403, 'AccessDenied', 'StoreAccessDenied', denied, 'Access to s3://storage-cap/path-style requests/a denied'],
  [403, '', 'StoreAccessDenied', denied, 'not allowed: virtual-hosted-style.md'],
  [403, 'AccessDenied', 'StorageFull', full, 'The bucket exceeds its storage quota'],
  [403, 'Forbidden', 'StorageFull', full, 'There is no space left'],
  [400, 'InvalidRequest', 'StoreRefused', /see what it says/, 'Bad key &quot;path-style requests&quot;'],
  [403, 'AccessDenied', 'StoreAccessDenied', denied, 'with an explicit deny in a resource-based policy'],
  [400, 'AccessDenied', 'StoreAccessDenied', denied],
  [403, 'SignatureDoesNotMatch', 'StoreAccessDenied', denied, 'PUT /kms/quota?virtual-hosted'],
  [400, 'ObjectLocked', 'StoreAccessDenied', /an object lock/],
  [409, 'FileImmutable', 'StoreAccessDenied', /an object lock/],
  [401, 'Unauthorized', 'StoreAccessDenied', denied],
  // A fresh signature may heal these, which whoever sends bytes tries.
  [403, 'AccessDenied', 'StoreAccessDenied', /the clock/, 'Request has expired'],
  [403, 'RequestTimeTooSkewed', 'StoreAccessDenied', /the clock/],
  [400, 'RequestTimeTooSkewed', 'StoreAccessDenied', /the clock/],
  [403, '', 'StoreAccessDenied', denied],
  // On no list
  [400, 'InvalidRequest', 'StoreRefused', /"the words of the store"/, 'the words of the store'],
  [400, 'InvalidArgument', 'StoreRefused'],
  [400, 'InvalidStorageClass', 'StoreRefused', /MODEL_PREFETCH_S3_STORAGE_CLASS/],
  [405, 'MethodNotAllowed', 'StoreRefused'],
  [409, 'InvalidBucketState', 'StoreRefused'],
  [409, 'BucketAlreadyExists', 'StoreRefused'],
  [411, 'MissingContentLength', 'StoreRefused'],
  [418, 'Teapot', 'StoreRefused'],
  [431, '', 'StoreRefused'],
  // Conflicts
  [409, '', 'StoreConflict'],
  [409, 'OperationAborted', 'StoreConflict'],
  [409, 'ConcurrentObjectUpdate', 'StoreConflict'],
  [409, 'ConcurrentModification', 'StoreConflict'],
  [409, 'StaleFile', 'StoreConflict'],
  [409, 'WhateverElse', 'StoreConflict'],
  [412, 'PreconditionFailed', 'StoreConflict'],
  // What passes
  [400, 'ExpiredRequest', 'StoreUnavailable', /signature/],
  [403, 'ExpiredRequest', 'StoreUnavailable', /signature/],
  [408, '', 'StoreUnavailable'],
  [425, '', 'StoreUnavailable'],
  [429, 'TooManyRequests', 'StoreUnavailable'],
  [429, 'QuotaExceeded', 'StoreUnavailable'],
  [503, 'SlowDown', 'StoreUnavailable'],
  [400, 'SlowDown', 'StoreUnavailable'],
  [503, 'RequestQuotaExceeded', 'StoreUnavailable'],
  [400, 'RequestTimeout', 'StoreUnavailable'],
  [400, 'IncompleteBody', 'StoreUnavailable'],
  [500, 'InternalError', 'StoreUnavailable'],
  [502, '', 'StoreUnavailable'],
  [504, '', 'StoreUnavailable'],
  [501, 'NotImplemented', 'UnsupportedStore'],
];

beforeEach(() => {
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
});

const credentials = { accessKeyId: 'key-of-a-test', secretAccessKey: 'secret-of-a-test' };

const said = rows.map(([status, code, expected, advice = /./, message = '']) => {
  return { status, code, expected, advice, message };
});

test.each(said)(
  'HTTP $status $code is $expected to parts, objects, reads and requests for control alike',
  async ({ expected, advice, ...refusal }) => {
    for (const error of await ask(refusal)) {
      expect(error).toMatchObject({
        code: expected,
        permanent: isPermanent(expected),
        message: expect.stringMatching(advice) as string,
      });
      expect(String(error)).toMatch(/"x\/a" in bucket models at http:/);
      expect(String(error)).toContain(refusal.code);
      expect(String(error)).not.toContain('secret-of-a-test');
    }
  }
);

test('a page of a proxy is told by its status, without the words of a parser', async () => {
  const [, , , control] = await ask({ status: 413, code: '', page: '<html><body><hr></body></html>' });
  expect(control).toMatchObject({ code: 'ObjectTooLarge' });
  expect(String(control)).toContain('(no error code, HTTP 413)');
});

test('a part that is too large for a gateway is told to be made smaller, an object is not', async () => {
  const [part, object] = await ask({ status: 413, code: '' });
  expect(String(part)).toContain('MODEL_PREFETCH_PART_SIZE');
  expect(String(object)).not.toContain('MODEL_PREFETCH_PART_SIZE');
});

/** What each kind of request fails with. */
async function ask(refusal: StoreRefusal): Promise<unknown[]> {
  const { endpoint, stop } = await startRefusing(refusal);
  const s3 = { endpoint, region: 'r', credentials, forcePathStyle: true };
  const store = await openStore('s3://models/x', { s3 });
  const text = refusal.code === '' ? '' : refusalText(refusal);
  const answer = { origin: endpoint, status: refusal.status, headers: {}, text };
  const found = [
    await failure(store.confirmPart({ key: 'a', id: 'u' }, { partNumber: 1, position: 0, size: 5 }, answer)),
    await failure(store.confirmObject('a', { size: 5 }, answer)),
    await store.readFailure(answer, 'a'),
    await failure(store.abortUpload({ key: 'a', id: 'u' })),
  ];
  await store.close();
  await stop();
  return found;
}

async function failure(action: Promise<unknown>): Promise<unknown> {
  return action.then(
    () => 'it did not fail',
    (error: unknown) => error
  );
}
