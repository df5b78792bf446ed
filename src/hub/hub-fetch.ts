import { callHub, type HubClient } from './call-hub.js';
import { protocolError, type Subject } from './hub-errors.js';

/** One page of a listing has about 1,000 entries. */
const MAX_JSON_BYTES = 64 * 1024 * 1024;
const MAX_PAGES = 20_000;

/**
 * A `fetch` for `@huggingface/hub`, which knows no signal and loses the headers of errors: it adds the token itself,
 * keeps time, and throws our errors before the library sees a bad answer.
 */
export function hubFetch(client: HubClient, subject: Subject, signal: AbortSignal | undefined): typeof fetch {
  const seen = new Set<string>();
  return async (input) => {
    const url = typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
    if (seen.has(url) || seen.size >= MAX_PAGES) throw protocolError(subject, 'its pages go round in circles');
    seen.add(url);
    const reply = await callHub(client, { method: 'GET', url, subject, signal, maxBytes: MAX_JSON_BYTES });
    const type = reply.answer.headers['content-type'] ?? 'nothing';
    if (!type.includes('json')) throw protocolError(subject, `expected JSON, got ${JSON.stringify(type.slice(0, 60))}`);
    return new Response(Buffer.from(reply.answer.body), {
      status: reply.answer.status,
      headers: { 'content-type': type, ...nextPage(reply.answer.headers.link, reply.url) },
    });
  };
}

/** The library takes absolute URLs in one notation only, and takes any other for the end of the listing. */
function nextPage(link: string | string[] | undefined, base: URL): Record<string, string> {
  const text = Array.isArray(link) ? link.join(', ') : (link ?? '');
  const target = /<([^>]+)>[^<]*;\s*rel="?next"?(?![\w-])/i.exec(text)?.[1];
  if (target === undefined || !URL.canParse(target, base.href)) return {};
  return { link: `<${new URL(target, base).href}>; rel="next"` };
}
