import { neverAnswered, protocolError, type Subject } from './hub-errors.js';

/** Where a redirect leads. The Hub says that the hosts of its CDN may change, so any is good, but TLS must not get lost. */
export function redirectTarget(
  subject: Subject,
  { from, location }: { readonly from: URL; readonly location: string | undefined }
): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw protocolError(subject, 'a redirect without a valid URL');
  }
  const target = new URL(location, from);
  const plainHub = new URL(subject.endpoint).protocol === 'http:';
  if (target.protocol === 'https:' || (target.protocol === 'http:' && plainHub)) return target;
  throw neverAnswered(subject, `a redirect to ${target.protocol}//${target.host}, which is not https`);
}
