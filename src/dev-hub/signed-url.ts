import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Signs paths of the CDN for a time, and tells later whether a signature still holds. */
export interface UrlSigner {
  readonly sign: (path: string) => string;
  readonly verdict: (path: string, query: URLSearchParams) => 'good' | 'expired' | 'wrong';
}

/** Signs with a key of this process, so that no URL outlives it; `now` is in milliseconds. */
export function urlSigner(lifeSeconds: number, now: () => number = Date.now): UrlSigner {
  const key = randomBytes(32);
  const signature = (path: string, expires: string) => createHmac('sha256', key).update(`${path}\n${expires}`).digest();
  return {
    sign: (path) => {
      const expires = String(Math.floor(now() / 1000) + lifeSeconds);
      return `${path}?Expires=${expires}&Signature=${signature(path, expires).toString('hex')}&Key-Pair-Id=dev-hub`;
    },
    verdict: (path, query) => {
      const expires = query.get('Expires') ?? '';
      const given = Buffer.from(query.get('Signature') ?? '', 'hex');
      const right = signature(path, expires);
      if (given.length !== right.length || !timingSafeEqual(given, right)) return 'wrong';
      return now() < Number(expires) * 1000 ? 'good' : 'expired';
    },
  };
}
