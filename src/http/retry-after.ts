import type { IncomingHttpHeaders } from 'node:http';

/** How long an answer asks us to wait, in milliseconds: `Retry-After`, or the reset of an IETF `RateLimit` header. */
export function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  return fromRetryAfter(headers['retry-after']) ?? fromRateLimit(headers['ratelimit']);
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
