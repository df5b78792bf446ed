import type { IncomingHttpHeaders } from 'node:http';
import { retryAfterMs } from '../http/retry-after.js';

const LONGEST_MS = 60 * 60_000;

/**
 * How long the Hub asks us to wait. `RateLimit: "api";r=0;t=172` tells the reset of a used up window, and one second more
 * is needed to be past it; otherwise `Retry-After` counts. Capped, so that no answer can park a run for days.
 */
export function hubRetryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const wait = usedUpWindowMs(headers['ratelimit']) ?? retryAfterMs(headers);
  return wait === undefined ? undefined : Math.min(wait, LONGEST_MS);
}

function usedUpWindowMs(value: string | string[] | undefined): number | undefined {
  const windows = (Array.isArray(value) ? value.join(',') : (value ?? '')).split(',');
  const resets = windows
    .filter((window) => /;\s*r=0+(?!\d)/.test(window))
    .flatMap((window) => /;\s*t=(\d+)/.exec(window)?.[1] ?? [])
    .map((seconds) => (Number(seconds) + 1) * 1000);
  return resets.length === 0 ? undefined : Math.max(...resets);
}
