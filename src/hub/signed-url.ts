const LONGEST_MS = 45 * 60_000;
const MARGIN_MS = 120_000;
const SHORTEST_MS = 1_000;

/**
 * Milliseconds for which a URL that the Hub gave out now may be used: two minutes less than its signature says
 * (four fifths of a short life), at most 45 minutes.
 * @param hubNow - the clock of the Hub, so that a wrong clock here does no harm
 */
export function usableMs(url: URL, hubNow: number): number {
  const expiry = signedUntil(url.searchParams);
  if (expiry === undefined) return LONGEST_MS;
  const left = expiry - hubNow;
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, left - MARGIN_MS, left * 0.8));
}

function signedUntil(query: URLSearchParams): number | undefined {
  // S3 and GCS sign a start and a span, CloudFront and the Hub's own CDN the end.
  for (const vendor of ['X-Amz', 'X-Goog']) {
    const start = compactDate(query.get(`${vendor}-Date`) ?? '');
    const seconds = Number(query.get(`${vendor}-Expires`) ?? NaN);
    if (start !== undefined && Number.isFinite(seconds)) return start + seconds * 1000;
  }
  const end = Number(query.get('Expires') ?? NaN);
  return Number.isFinite(end) ? end * 1000 : undefined;
}

/** `20260717T101500Z` */
function compactDate(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts.map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}
