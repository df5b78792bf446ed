import { foreignText } from '../core/foreign-text.js';
import { protocolError, type Subject } from './hub-errors.js';

/**
 * The next page of a listing, undefined on the last one. It is on the Hub itself: a page from elsewhere would be a listing
 * that the Hub did not make. One that cannot be followed is a failure, for without it files would be missing.
 */
export function nextPage(subject: Subject, link: string | undefined, base: URL): URL | undefined {
  const text = link ?? '';
  if (!MENTIONS_NEXT.test(text)) return undefined;
  const target = linksOf(text).find(({ relations }) => relations.includes('next'))?.target;
  if (target === undefined || !URL.canParse(target, base.href)) {
    throw protocolError(subject, `its link to the next page cannot be read: ${JSON.stringify(foreignText(text, 100))}`);
  }
  const url = new URL(target, base);
  const home = new URL(subject.endpoint);
  if (url.origin === home.origin && url.username === '' && url.password === '') return url;
  throw protocolError(
    subject,
    `its link to the next page leads to ${JSON.stringify(foreignText(url.origin, 100))}, expected ${home.origin}`
  );
}

const MENTIONS_NEXT = /\brel\s*\*?=[^,;]*(?<![\w-])next(?![\w-])/i;
const LINK = /<([^<>]*)>((?:\s*;\s*[\w*-]{1,50}(?:\s*=\s*(?:"[^"<>]*"|[^\s",;<>]*))?)*)/g;
const RELATION = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]*))/i;

/** Links as RFC 8288 writes them: `<target>; name=value; name="value", <target>…`. */
function linksOf(text: string): { readonly target: string; readonly relations: readonly string[] }[] {
  return [...text.matchAll(LINK)].map(([, target = '', parameters = '']) => {
    const [, quoted, plain] = RELATION.exec(parameters) ?? [];
    return { target: target.trim(), relations: (quoted ?? plain ?? '').toLowerCase().split(/\s+/) };
  });
}
