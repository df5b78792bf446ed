import { expect, test } from 'vitest';
import { rateWindow } from '../../src/dev-hub/rate-window.js';

test('requests beyond the quota are refused until the window ends', () => {
  let now = 1000;
  const count = rateWindow({ quota: 2, windowSeconds: 10 }, () => now);
  expect(count('a', 'api')).toEqual({
    refused: false,
    headers: { RateLimit: '"api";r=1;t=10', 'RateLimit-Policy': '"fixed window";"api";q=2;w=10' },
  });
  now = 4500;
  expect(count('a', 'api')).toMatchObject({ refused: false, headers: { RateLimit: '"api";r=0;t=7' } });
  expect(count('a', 'api')).toMatchObject({ refused: true, headers: { RateLimit: '"api";r=0;t=7' } });
  now = 11_000;
  expect(count('a', 'api')).toMatchObject({ refused: false, headers: { RateLimit: '"api";r=1;t=10' } });
});

test('each caller and each bucket has a quota of its own', () => {
  const count = rateWindow({ quota: 1, windowSeconds: 10 });
  expect(count('a', 'api').refused).toBe(false);
  expect(count('b', 'api').refused).toBe(false);
  expect(count('a', 'resolvers').refused).toBe(false);
  expect(count('a', 'api').refused).toBe(true);
});

test('without a limit nothing is refused, and the headers are there', () => {
  const count = rateWindow(undefined);
  expect(count('a', 'pages')).toMatchObject({ refused: false, headers: { RateLimit: '"pages";r=100000;t=300' } });
});
