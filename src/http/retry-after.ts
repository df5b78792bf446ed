import type { IncomingHttpHeaders } from 'node:http';

const LONGEST_MS = 60 * 60_000;

/**
 * How long an answer asks us to wait, in milliseconds: `Retry-After`, or the reset of an IETF `RateLimit` header.
 * Capped, so that no answer can park a run for days or ask for more than a timer can hold.
 */
export function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const wait = fromRetryAfter(headers['retry-after']) ?? fromRateLimit(headers['ratelimit']);
  return wait === undefined ? undefined : Math.min(wait, LONGEST_MS);
}

function fromRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function fromRateLimit(value: string | string[] | undefined): number | undefined {
  const text = Array.isArray(value) ? value.join(',') : value;
  const reset = text === undefined ? undefined : /;\s*t=(\d+)/.exec(text)?.[1];
  // One second more: the window is over after its last second.
  return reset === undefined ? undefined : (Number(reset) + 1) * 1000;
}
