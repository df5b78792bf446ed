import { foreignText } from '../core/foreign-text.js';
import { MiB } from '../core/units.js';
import { callHub, type HubClient } from './call-hub.js';
import { protocolError, type Subject } from './hub-errors.js';
import { nextPage } from './next-page.js';

/** One page of a listing has about 1,000 entries. */
const MAX_PAGE_BYTES = 64 * MiB;
const MAX_PAGES = 20_000;

/**
 * A `fetch` for `@huggingface/hub`, which knows no signal and loses the headers of errors: it adds the token itself,
 * keeps time, bounds what is read, and throws our errors before the library sees a bad answer.
 */
export function hubFetch(client: HubClient, subject: Subject, signal: AbortSignal | undefined): typeof fetch {
  const seen = new Set<string>();
  let bytes = 0;
  return async (input) => {
    const url = typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
    if (seen.has(url)) throw protocolError(subject, 'its pages go round in circles');
    if (seen.size >= MAX_PAGES) throw protocolError(subject, `it has more than ${String(MAX_PAGES)} pages`);
    seen.add(url);
    const reply = await callHub(client, { method: 'GET', url, subject, signal, maxBytes: MAX_PAGE_BYTES });
    bytes += reply.answer.body.byteLength + url.length;
    if (bytes > client.maxListingBytes) {
      throw protocolError(subject, `its pages have more than ${String(client.maxListingBytes)} bytes`);
    }
    const type = reply.answer.headers['content-type'] ?? 'nothing';
    if (!type.includes('json')) {
      throw protocolError(subject, `expected JSON, got ${JSON.stringify(foreignText(type, 60))}`);
    }
    const next = nextPage(subject, reply.answer.headers.link, reply.url);
    return new Response(Buffer.from(reply.answer.body), {
      status: reply.answer.status,
      // The library takes absolute URLs in one notation only, and takes any other for the end of the listing.
      headers: {
        'content-type': 'application/json',
        ...(next !== undefined && { link: `<${next.href}>; rel="next"` }),
      },
    });
  };
}
