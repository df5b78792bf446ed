import type { DevRateLimit } from './options.js';

/** The Hub counts these kinds of requests apart. */
export type RateBucket = 'api' | 'resolvers' | 'pages';

/** Whether a request is over the quota. */
export interface RateVerdict {
  readonly refused: boolean;
  /** Sent with every answer of the Hub. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Counts requests per caller and bucket in fixed windows, as the Hub does. */
export function rateWindow(limit: DevRateLimit | undefined, now: () => number = Date.now) {
  const used = new Map<string, { count: number; endsAtMs: number }>();
  return (caller: string, bucket: RateBucket): RateVerdict => {
    if (limit === undefined)
      return verdict(bucket, { quota: 100_000, windowSeconds: 300 }, { left: 100_000, seconds: 300 });
    const key = `${bucket} ${caller}`;
    const open = used.get(key);
    const current =
      open !== undefined && now() < open.endsAtMs ? open : { count: 0, endsAtMs: now() + limit.windowSeconds * 1000 };
    current.count += 1;
    used.set(key, current);
    const seconds = Math.max(0, Math.ceil((current.endsAtMs - now()) / 1000));
    return verdict(bucket, limit, { left: limit.quota - current.count, seconds });
  };
}

function verdict(bucket: RateBucket, limit: DevRateLimit, { left, seconds }: { left: number; seconds: number }) {
  return {
    refused: left < 0,
    headers: {
      RateLimit: `"${bucket}";r=${String(Math.max(0, left))};t=${String(seconds)}`,
      'RateLimit-Policy': `"fixed window";"${bucket}";q=${String(limit.quota)};w=${String(limit.windowSeconds)}`,
    },
  };
}
