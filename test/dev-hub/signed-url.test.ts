import { expect, test } from 'vitest';
import { urlSigner } from '../../src/dev-hub/signed-url.js';

test('a signature holds for its path and its time only', () => {
  let now = 5000;
  const signer = urlSigner(60, () => now);
  const [path = '', text = ''] = signer.sign('/a/b').split('?');
  const query = new URLSearchParams(text);
  expect(path).toBe('/a/b');
  expect(signer.verdict(path, query)).toBe('good');
  expect(signer.verdict('/a/c', query)).toBe('wrong');
  expect(urlSigner(60, () => now).verdict(path, query)).toBe('wrong');
  expect(signer.verdict(path, new URLSearchParams())).toBe('wrong');
  const later = new URLSearchParams(query);
  later.set('Expires', '999999');
  expect(signer.verdict(path, later)).toBe('wrong');
  now = 66_000;
  expect(signer.verdict(path, query)).toBe('expired');
});
