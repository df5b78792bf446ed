import { describe, expect, test } from 'vitest';
import {
  foreignText,
  looksLikeToken,
  shortened,
  withoutSecrets,
  withoutSecretsDeep,
} from '../../src/core/foreign-text.js';
import { noteSecret } from '../../src/core/secrets.js';

const bytesOf = (text: string) => Buffer.byteLength(text);

describe('withoutSecrets', () => {
  test.each([
    ['GET https://cdn.example/x?Signature=abc failed', 'GET https://cdn.example/x?*** failed'],
    ['(http://h:80/x?a=1&b=2)', '(http://h:80/x?***'],
    ['https://user:pa55@host/x', 'https://***@host/x'],
    ['s3://user:pa55@host/x', 's3://***@host/x'],
    ['https://host/x#access_token=abc', 'https://host/x?***'],
    ['bytes 0-9/10;X-Amz-Signature=abc', 'bytes ***'],
    ['"Expires=1&Signature=abc&Key-Pair-Id=K"', '"***"'],
    ['/file?Policy=abc', '/file?***'],
    ['x-amz-date%3D1%26X-Amz-Signature%3Dabc', '***'],
    ['https%3A%2F%2Fcdn%2Fx%3FSignature%253Dabc', '***'],
    [
      'AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature=ab',
      'AWS4-HMAC-SHA256 *** SignedHeaders=host, ***',
    ],
    ['{"X-Amz-Signature":"abc","n":1}', '{"X-Amz-Signature":"***","n":1}'],
    ['<Signature>abc</Signature>', '<Signature>***</Signature>'],
    ['?sig=abc', '?***'],
    ['Bearer abc.def-ghi', 'Bearer ***'],
    ['Basic%20dXNlcjpwYXNz', 'Basic ***'],
    ['Token hf_abcdefghijABCDEFGHIJabcdefghij.', 'Token ***.'],
    ['api_org_abcdefghijABCDEF', '***'],
    ['eyJhbGciOiJI.eyJzdWIiOiIx.c2ln', '***'],
  ])('%j becomes %j', (text, clean) => {
    expect(withoutSecrets(text)).toBe(clean);
    expect(withoutSecrets(clean)).toBe(clean);
  });

  test.each([
    'RepoNotFound: org/model@main is not on https://huggingface.co. Check the name and the token: HF_TOKEN on the worker.',
    'No secret named "HF_TOKEN_PROD" or "hf_token_team", nor hf_transfer',
    'https://huggingface.co/docs/hub#security and s3://bucket/a@b/c',
    'Could not read "a=b.bin" in bucket x (SignatureDoesNotMatch, HTTP 403): check AWS_SECRET_ACCESS_KEY',
    'bytes 0-9/10, expected "bytes 0-99/100"',
    'Is it there? Yes & no. 1 < 2 = 2',
    'include: a?b, *.bin',
  ])('leaves alone: %s', (text) => {
    expect(withoutSecrets(text)).toBe(text);
  });

  test('takes no longer for text that was made to be slow', { timeout: 5_000 }, () => {
    for (const piece of ['eyJ', '://', 'https://', '=', '&a=', '?', 'hf_', '%25', 'a', 'Bearer ', '<', 'sig', '"']) {
      withoutSecrets(piece.repeat(200_000));
    }
  });

  test('reaches every text of a value', () => {
    noteSecret('a-secret-in-use');
    const value = { a: ['x a-secret-in-use', 1, null, { b: 'a-secret-in-use' }], c: true, d: undefined };
    expect(withoutSecretsDeep(value)).toEqual({ a: ['x ***', 1, null, { b: '***' }], c: true, d: undefined });
  });
});

describe('foreignText', () => {
  test('is one line without secrets, cut only after it is clean, and says that it was', () => {
    noteSecret('long-secret-in-use');
    expect(foreignText('a\nb\u001b[2J')).toBe('a b\ufffd[2J');
    expect(foreignText(`1234567890 long-secret-in-use`, 15)).toBe('1234567890 ***');
    expect(foreignText('x'.repeat(1_000_000), 5)).toBe('xxxxx…');
  });
});

describe('shortened', () => {
  test('keeps the start and the end of what is too long, in bytes, and says how much is missing', () => {
    const text = `Code: ${'x'.repeat(9_000)} the last words`;
    const short = shortened(text, 300);
    expect(short).toMatch(/^Code: x+… \(\d+ characters cut\) …x+ the last words$/);
    expect(bytesOf(short)).toBeLessThanOrEqual(300);
    expect(bytesOf(shortened('😀ü'.repeat(9_000), 300))).toBeLessThanOrEqual(300);
    expect(shortened('short', 300)).toBe('short');
  });
});

describe('what is given for the name of a secret', () => {
  test.each([
    'HF_TOKEN',
    'HF_TOKEN_PROD',
    'hf_token_team',
    'hf_token',
    'hf_production',
    'hf-token.txt',
    'HUGGING_FACE_HUB_TOKEN',
    'token',
    'HFTOKENOFTHEPRODUCTIONENVIRONMENT2',
    'a'.repeat(128),
  ])('may be a name: %s', (name) => {
    expect(looksLikeToken(name)).toBe(false);
  });

  test.each([
    'hf_abcdefghijklmnopqrst',
    'hf_AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh',
    'hf_oauth_AbCdEfGhIjKlMnOpQrStUv',
    'api_org_abcdefghij',
    'Bearer hf_x',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln',
    '0123456789abcdef0123456789abcdef',
    'Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1',
  ])('may be the token itself: %s', (token) => {
    expect(looksLikeToken(token)).toBe(true);
  });

  test('is the token itself when this process uses it', () => {
    noteSecret('any_shape_at_all');
    expect(looksLikeToken('any_shape_at_all')).toBe(true);
  });
});
