import { expect, test } from 'vitest';
import { isSecretInUse, noteSecret, withoutSecretsInUse } from '../../src/core/secrets.js';

const secret = 'tok+en/With=Any.Character';
noteSecret(secret);

const encoded = encodeURIComponent(secret);
const escaped: readonly (readonly [string, string])[] = [
  ['as it is', secret],
  ['in small letters', secret.toLowerCase()],
  ['in hex', Buffer.from(secret).toString('hex')],
  ['percent-encoded', encoded],
  ['percent-encoded in small letters', encoded.replaceAll(/%../g, (code) => code.toLowerCase())],
  ['percent-encoded twice', encodeURIComponent(encoded)],
  ['percent-encoded where it need not be', [...Buffer.from(secret)].map((byte) => `%${byte.toString(16)}`).join('')],
  ['as HTML', secret.replace('/', '&#x2F;').replace('+', '&#43;').replace('=', '&#x3d;')],
  ['as JSON', secret.replace('/', '\\/').replace('=', '\\u003d')],
];

test.each(escaped)('takes a secret out that is written %s', (_, form) => {
  expect(withoutSecretsInUse(`before ${form} behind`)).toBe('before *** behind');
  expect(withoutSecretsInUse(form + form)).toBe('******');
});

test.each(['', 'x', 'us', 'user:', 'Bearer ', 'Authorization: Bearer '])(
  'takes a secret out of base64 that has %j before it',
  (before) => {
    for (const behind of ['', '\n', '!!', '"}}}']) {
      for (const kind of ['base64', 'base64url'] as const) {
        const form = Buffer.from(before + secret + behind).toString(kind);
        for (const written of [form, form.replaceAll('=', ''), encodeURIComponent(form)]) {
          const clean = withoutSecretsInUse(`Basic ${written}, and more`);
          expect(clean).toContain('***');
          expect(clean).toMatch(/^Basic .*, and more$/);
          expect(Buffer.from(clean, 'base64').toString('latin1')).not.toMatch(/With=Any/);
          expect(clean).not.toContain(Buffer.from('With=Any').toString('base64').slice(2, -4));
        }
      }
    }
  }
);

test('leaves other text alone, to the character', () => {
  const text = 'a %41 &#65; \\u0041 \\/ 100 % ünïcode 😀 tok+en/With=Any';
  expect(withoutSecretsInUse(text)).toBe(text);
  expect(withoutSecretsInUse(`%41${secret}%42`)).toBe('%41***%42');
});

test('takes out two secrets that overlap', () => {
  noteSecret('abcdefgh');
  noteSecret('efghijkl');
  expect(withoutSecretsInUse('>abcdefghijkl<')).toBe('>***<');
});

test('a secret of a few characters is not looked for: it would be found everywhere', () => {
  noteSecret('a');
  noteSecret('');
  expect(withoutSecretsInUse('a banana')).toBe('a banana');
  expect(isSecretInUse('a')).toBe(false);
});

test('forgets the oldest of very many, and keeps those that are still read', () => {
  noteSecret('the-first-secret');
  for (let number = 0; number < 100; number++) {
    noteSecret(`session-token-${String(number)}`);
    noteSecret(secret);
  }
  expect(isSecretInUse('the-first-secret')).toBe(false);
  expect(isSecretInUse('session-token-99')).toBe(true);
  expect(isSecretInUse(secret)).toBe(true);
});
