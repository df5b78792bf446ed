import { describe, expect, test } from 'vitest';
import { embeddedStore, readSettings, serverEnvironment } from '../../src/config/environment.js';
import { isPrefetchError } from '../../src/core/errors.js';

const HOME = { HOME: '/home/someone' };

describe('readSettings', () => {
  test('puts home and cache where XDG says, and into the home folder otherwise', () => {
    expect(readSettings(HOME)).toMatchObject({
      home: '/home/someone/.local/share/model-prefetch',
      cacheFolder: '/home/someone/.cache/model-prefetch',
    });
    expect(readSettings({ ...HOME, XDG_DATA_HOME: '/d', XDG_CACHE_HOME: '/c' })).toMatchObject({
      home: '/d/model-prefetch',
      cacheFolder: '/c/model-prefetch',
    });
    expect(readSettings({ ...HOME, XDG_DATA_HOME: 'relative' }).home).toBe('/home/someone/.local/share/model-prefetch');
  });

  test('takes the store as a URL or as an absolute path, and the embedded one under the home', () => {
    expect(readSettings({ ...HOME, MODEL_PREFETCH_STORE: '/data/my models' }).store).toBe('file:///data/my%20models/');
    expect(readSettings({ ...HOME, MODEL_PREFETCH_STORE: 's3://bucket/models' }).store).toBe('s3://bucket/models/');
    expect(embeddedStore(readSettings({ ...HOME, MODEL_PREFETCH_HOME: '/h' }))).toBe('file:///h/store/');
  });

  test('has defaults for everything else', () => {
    expect(readSettings(HOME)).toMatchObject({
      hubEndpoint: 'https://huggingface.co',
      taskQueue: 'model-prefetch',
      partSizeBytes: 8 * 1024 * 1024,
      transferMode: 'stream',
      fileStoreIsShared: false,
      vllmSilenceMs: 30 * 60_000,
      tokenKeys: ['HF_TOKEN', 'HF_TOKEN_*'],
    });
  });

  test('says how S3 is written and read, where that is set', () => {
    expect(readSettings(HOME).s3).toEqual({});
    const variables = {
      MODEL_PREFETCH_S3_SSE: 'aws:kms',
      MODEL_PREFETCH_S3_SSE_KMS_KEY_ID: 'arn:aws:kms:eu-central-1:123456789012:key/a-b',
      MODEL_PREFETCH_S3_STORAGE_CLASS: 'GLACIER_IR',
      MODEL_PREFETCH_S3_EXPECTED_BUCKET_OWNER: '123456789012',
      MODEL_PREFETCH_S3_REQUEST_PAYER: 'requester',
      MODEL_PREFETCH_S3_ADDRESSING_STYLE: 'virtual',
    };
    expect(readSettings({ ...HOME, ...variables }).s3).toEqual({
      sse: 'aws:kms',
      sseKmsKeyId: 'arn:aws:kms:eu-central-1:123456789012:key/a-b',
      storageClass: 'GLACIER_IR',
      expectedBucketOwner: '123456789012',
      requestPayer: 'requester',
      addressingStyle: 'virtual',
    });
    const empty = Object.fromEntries(Object.keys(variables).map((name) => [name, '']));
    expect(readSettings({ ...HOME, ...empty }).s3).toEqual({});
  });

  test('takes an empty variable as one that is not set', () => {
    const names = ['HF_ENDPOINT', 'MODEL_PREFETCH_STORE', 'MODEL_PREFETCH_LANES', 'MODEL_PREFETCH_MEMORY'];
    expect(readSettings({ ...HOME, ...Object.fromEntries(names.map((name) => [name, ''])) })).toEqual(
      readSettings(HOME)
    );
  });

  test.each([
    ['HF_ENDPOINT', 'huggingface.co'],
    ['HF_ENDPOINT', 'https://user:secret@host'],
    ['HF_ENDPOINT', 'https://host/?token=secret'],
    ['MODEL_PREFETCH_STORE', 'bucket/models'],
    ['MODEL_PREFETCH_PART_SIZE', '1MiB'],
    ['MODEL_PREFETCH_PART_SIZE', 'secret'],
    ['MODEL_PREFETCH_LANES', '0'],
    ['MODEL_PREFETCH_LANES', '2.5'],
    ['MODEL_PREFETCH_MEMORY', '1KiB'],
    ['MODEL_PREFETCH_TRANSFER', 'carrier-pigeon'],
    ['MODEL_PREFETCH_SHARED_FILES', 'maybe'],
    ['MODEL_PREFETCH_VLLM_SILENCE', '30'],
    ['MODEL_PREFETCH_VLLM_SILENCE', '25h'],
    ['MODEL_PREFETCH_ALLOWED_ROOTS', 's3://fine,nope'],
    ['MODEL_PREFETCH_S3_SSE', 'aes256'],
    ['MODEL_PREFETCH_S3_SSE', 'secret'],
    ['MODEL_PREFETCH_S3_SSE_KMS_KEY_ID', 'a-key-without-kms'],
    ['MODEL_PREFETCH_S3_STORAGE_CLASS', 'GLACIER'],
    ['MODEL_PREFETCH_S3_STORAGE_CLASS', 'DEEP_ARCHIVE'],
    ['MODEL_PREFETCH_S3_STORAGE_CLASS', 'deep_archive'],
    ['MODEL_PREFETCH_S3_STORAGE_CLASS', 'not a class'],
    ['MODEL_PREFETCH_S3_EXPECTED_BUCKET_OWNER', '12345'],
    ['MODEL_PREFETCH_S3_REQUEST_PAYER', 'me'],
    ['MODEL_PREFETCH_S3_ADDRESSING_STYLE', 'sideways'],
  ])('refuses %s=%s by naming the variable, without its value', (name, value) => {
    const error = failure(() => readSettings({ ...HOME, [name]: value }));
    expect(isPrefetchError(error, 'InvalidInput')).toBe(true);
    expect(String(error)).toContain(name);
    expect(String(error)).not.toContain('secret');
  });
});

function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('the embedded server inherits no proxy', () => {
  const proxies = {
    HTTPS_PROXY: 'http://proxy:1',
    https_proxy: 'http://proxy:1',
    ALL_PROXY: 'http://proxy:1',
    NO_PROXY: '*',
  };
  expect(serverEnvironment({ PATH: '/bin', ...proxies })).toEqual({ PATH: '/bin' });
});
