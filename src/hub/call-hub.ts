import { PrefetchError } from '../core/errors.js';
import { noteSecret } from '../core/secrets.js';
import { decodeBody } from './decode-body.js';
import { exchange, header, type HubAnswer } from './exchange.js';
import { failureError, protocolError, refusalError, sourceError, type Subject } from './hub-errors.js';
import { redirectTarget } from './redirect.js';

/** How the requests of one Hub are made. */
export interface HubClient {
  /** URL without a trailing slash; it may have a path. */
  readonly endpoint: string;
  readonly userAgent: string;
  readonly timeoutMs: number;
  /** Most bytes of all pages of one listing. */
  readonly maxListingBytes: number;
}

/** One request to the Hub; `subject` is what its errors tell of. */
export interface HubCall {
  readonly method: 'GET' | 'HEAD';
  readonly url: string;
  readonly subject: Subject;
  readonly signal: AbortSignal | undefined;
  readonly maxBytes: number;
  /** Bytes of a good body, where they are known. */
  readonly size?: number;
  /** True stops before a redirect to another origin and returns it. */
  readonly stopAtOtherOrigin?: boolean;
}

/** A good answer, after the redirects that were followed. */
export interface HubReply {
  /** Where the answer came from, or where a redirect to another origin leads. */
  readonly url: URL;
  /** The last answer of the Hub itself or, where a redirect was followed, that of the other origin. */
  readonly answer: HubAnswer;
  /** True when `url` is not on the Hub. */
  readonly elsewhere: boolean;
  /** What the headers of the Hub say; a redirect may say it, or what it leads to. */
  readonly told: FileHeaders;
}

/** Headers of the Hub about a file, each from its first answer that has it. */
export interface FileHeaders {
  /** `X-Repo-Commit`. */
  readonly repoCommit?: string | undefined;
  /** `X-Linked-ETag`. */
  readonly linkedEtag?: string | undefined;
  /** `X-Linked-Size`. */
  readonly linkedSize?: string | undefined;
}

const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 6;

/** Sends a request and follows its redirects; the token goes to the Hub's origin and to no other. Fails on all but 2xx. */
export async function callHub(client: HubClient, call: HubCall): Promise<HubReply> {
  const home = new URL(client.endpoint).origin;
  let url = new URL(call.url);
  let told: FileHeaders = {};
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const elsewhere = url.origin !== home;
    const answer = await ask(client, call, url);
    // A repo under its old name redirects first, and that answer knows no commit.
    if (!elsewhere) told = withHeaders(told, answer);
    if (!REDIRECTS.includes(answer.status)) return { url, answer, elsewhere, told };
    url = redirectTarget(call.subject, { from: url, location: header(answer, 'location') });
    if (call.stopAtOtherOrigin === true && url.origin !== home) return { url, answer, elsewhere: true, told };
  }
  throw protocolError(call.subject, `more than ${String(MAX_REDIRECTS)} redirects`);
}

function withHeaders(told: FileHeaders, answer: HubAnswer): FileHeaders {
  return {
    repoCommit: told.repoCommit ?? header(answer, 'x-repo-commit'),
    linkedEtag: told.linkedEtag ?? header(answer, 'x-linked-etag'),
    linkedSize: told.linkedSize ?? header(answer, 'x-linked-size'),
  };
}

/** Headers that show a token to the Hub. */
export function authorization(token: string | undefined): Record<string, string> {
  if (token === undefined) return {};
  // Callers of the library may bring tokens that nobody read from a secret here.
  noteSecret(token);
  return { authorization: `Bearer ${token}` };
}

async function ask(client: HubClient, call: HubCall, url: URL): Promise<HubAnswer> {
  const { subject } = call;
  const atHub = url.origin === new URL(client.endpoint).origin;
  if (atHub) checkToken(subject);
  const outcome = await exchange({
    method: call.method,
    url: url.href,
    headers: {
      'accept-encoding': 'identity',
      'user-agent': client.userAgent,
      ...(atHub && authorization(subject.token)),
    },
    maxBytes: call.maxBytes,
    timeoutMs: client.timeoutMs,
    signal: call.signal,
  });
  if (outcome.kind !== 'answer') {
    throw atHub ? failureError(subject, outcome) : sourceError(subject, url.origin, outcome);
  }
  if (REDIRECTS.includes(outcome.status)) return outcome;
  if (outcome.status >= 200 && outcome.status < 300) return decodeBody(subject, outcome, call);
  throw atHub ? refusalError(subject, outcome) : sourceError(subject, url.origin, outcome);
}

/** A header takes printable ASCII only; a line break at the end is how a token file usually goes wrong. */
function checkToken({ token, endpoint }: Subject): void {
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return;
  throw new PrefetchError(
    'InvalidToken',
    `The token for ${endpoint} is empty or has a space, line break or umlaut in it.`,
    {
      details: { endpoint },
    }
  );
}
