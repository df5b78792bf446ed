import { describe, expect, test } from 'vitest';
import { hubRetryAfterMs } from '../../src/hub/retry-after.js';

describe('hubRetryAfterMs', () => {
  test('waits one second past the reset of a window that is used up', () => {
    expect(hubRetryAfterMs({ ratelimit: '"api";r=0;t=172' })).toBe(173_000);
  });

  test('looks at the window that is used up, wherever it stands', () => {
    expect(hubRetryAfterMs({ ratelimit: '"api";r=10;t=5, "resolvers";t=60;r=0' })).toBe(61_000);
  });

  test('prefers it to Retry-After, which proxies add', () => {
    expect(hubRetryAfterMs({ ratelimit: '"api";r=0;t=9', 'retry-after': '1' })).toBe(10_000);
  });

  test('takes Retry-After where no window is used up', () => {
    expect(hubRetryAfterMs({ ratelimit: '"api";r=5;t=172', 'retry-after': '7' })).toBe(7_000);
  });

  test('takes a date in Retry-After', () => {
    const wait = hubRetryAfterMs({ 'retry-after': new Date(Date.now() + 20_000).toUTCString() }) ?? 0;
    expect(wait).toBeGreaterThan(10_000);
    expect(wait).toBeLessThanOrEqual(20_000);
  });

  test('never waits longer than an hour', () => {
    expect(hubRetryAfterMs({ 'retry-after': '999999999' })).toBe(3_600_000);
  });

  test.each([{}, { ratelimit: 'nonsense' }, { 'retry-after': 'soon' }])('knows nothing from %j', (headers) => {
    expect(hubRetryAfterMs(headers)).toBeUndefined();
  });
});
