import { isPrefetchError } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import { MiB } from '../core/units.js';
import { callHub, type HubClient } from './call-hub.js';
import { header } from './exchange.js';
import { protocolError, type Subject } from './hub-errors.js';
import { nextPage } from './next-page.js';

/** One page of a listing has about 1,000 entries, and the description of a repo names all of its files. */
const MAX_PAGE_BYTES = 64 * MiB;
const MAX_PAGES = 20_000;

/** What is asked of the API, and about what. */
export interface JsonQuestion {
  readonly url: string;
  readonly subject: Subject;
  readonly signal: AbortSignal | undefined;
}

/** What the API answers to one question, whatever type it says that has: mirrors that are a folder of files say none. */
export async function askJson(client: HubClient, question: JsonQuestion): Promise<unknown> {
  return (await askPage(client, question)).value;
}

/** All pages that begin with this one, each when it is asked for. */
export async function* askPages(client: HubClient, question: JsonQuestion): AsyncGenerator<unknown, void> {
  const { subject } = question;
  const seen = new Set<string>();
  let bytes = 0;
  for (let url: string | undefined = question.url; url !== undefined;) {
    if (seen.has(url)) throw protocolError(subject, 'its pages go round in circles');
    if (seen.size >= MAX_PAGES) throw protocolError(subject, `it has more than ${String(MAX_PAGES)} pages`);
    seen.add(url);
    const page = await askPage(client, { ...question, url });
    bytes += page.bytes + url.length;
    if (bytes > client.maxListingBytes) {
      throw protocolError(subject, `its pages have more than ${String(client.maxListingBytes)} bytes`);
    }
    const next = nextPage(subject, page.link, page.url);
    yield page.value;
    url = next?.href;
  }
}

/** Asks one URL after the other until one is known: what is no page of this Hub is refused in many ways, or is a page for people. */
export async function askFirst<T>(urls: readonly string[], ask: (url: string) => Promise<T>): Promise<T> {
  let told: unknown;
  for (const url of urls) {
    try {
      return await ask(url);
    } catch (error) {
      if (!mayBeUnknown(error)) throw error;
      told = betterTold(told, error);
    }
  }
  throw told;
}

/** Of two refusals of pages that may be unknown, the one that says more: a missing repo, or else the first. */
export function betterTold(first: unknown, later: unknown): unknown {
  const names = isPrefetchError(later, 'RepoNotFound') && !isPrefetchError(first, 'RepoNotFound');
  return first === undefined || names ? later : first;
}

/** Whether the Hub may not know a page at all: whoever does, names what it misses. */
export function mayBeUnknown(error: unknown): boolean {
  if (!isPrefetchError(error)) return false;
  const { status, errorCode } = error.details;
  if (errorCode !== undefined) return false;
  if (error.code === 'RepoNotFound') return status === 404 || status === 410;
  return error.code === 'HubProtocol' || (error.code === 'HubUnavailable' && status === 502);
}

interface Page {
  readonly value: unknown;
  readonly bytes: number;
  readonly url: URL;
  readonly link: string | undefined;
}

async function askPage(client: HubClient, { url, subject, signal }: JsonQuestion): Promise<Page> {
  const reply = await callHub(client, { method: 'GET', url, subject, signal, maxBytes: MAX_PAGE_BYTES });
  const { body, headers } = reply.answer;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return { value, bytes: body.byteLength, url: reply.url, link: header(reply.answer, 'link') };
  } catch {
    const type = JSON.stringify(foreignText(headers['content-type'] ?? 'nothing', 60));
    const from = reply.elsewhere ? ` from ${reply.url.origin}` : '';
    throw protocolError(subject, `expected JSON, got ${type}${from}`);
  }
}
