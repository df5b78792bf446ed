import { isPrefetchError, PrefetchError, type ErrorCode, type ErrorDetails } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import { isCertificateError } from '../http/certificate-errors.js';
import { header, type HubAnswer, type HttpFailure } from './exchange.js';
import { name, sentences, type RefusalCode } from './refusal-sentences.js';
import { hubRetryAfterMs } from './retry-after.js';

/** What was asked for, so that a message can name it. */
export interface Subject {
  readonly endpoint: string;
  /** `hub` is the Hub itself, whatever it has. */
  readonly about: 'hub' | 'token' | 'repo' | 'file';
  readonly repo?: string;
  readonly revision?: string;
  readonly path?: string;
  readonly token: string | undefined;
}

/** The Hub's own reasons, as its headers give them. */
interface Refusal {
  readonly status: number;
  readonly code: string | undefined;
  readonly message: string;
  readonly requestId: string | undefined;
  /** Who it is from: a Hub says why, in its headers or as JSON; a page or XML is from something else. */
  readonly from: 'hub' | 'nobody' | 'another';
  /** Kind and sender of what is from something else. */
  readonly kind: string | undefined;
  /** Whether it asks for credentials, as `WWW-Authenticate`. */
  readonly asksWho: boolean;
}

/** Windows of the Hub's rate limits last five minutes; without a header, one minute is a fair guess. */
const DEFAULT_RATE_LIMIT_MS = 60_000;
const NAMED = ['RepoNotFound', 'GatedRepo', 'RevisionNotFound', 'EntryNotFound'] as const;

/** The error for an answer of the Hub that is no success. */
export function refusalError(subject: Subject, answer: HubAnswer): PrefetchError {
  const refusal = readRefusal(answer);
  const said = saidCode(subject, refusal);
  const code = said ?? guessedCode(subject, refusal);
  const retryAfterMs = hubRetryAfterMs(answer.headers) ?? (code === 'RateLimited' ? DEFAULT_RATE_LIMIT_MS : undefined);
  const waits = retryAfterMs !== undefined && (code === 'RateLimited' || code === 'HubUnavailable');
  return new PrefetchError(code, `${sentences[code](subject)} (${trailer(refusal)})`, {
    details: {
      ...subjectDetails(subject),
      status: refusal.status,
      errorCode: refusal.code,
      requestId: refusal.requestId,
      ...(said === undefined && { guessed: true }),
      ...(code === 'SourceUnavailable' && { senseless: true }),
    },
    ...(waits && { retryAfterMs }),
  });
}

/** The error for a repo that the Hub describes as disabled. */
export function disabledError(subject: Subject): PrefetchError {
  return new PrefetchError('DisabledRepo', sentences.DisabledRepo(subject), { details: subjectDetails(subject) });
}

/**
 * The error for an answer of the Hub that makes no sense. About a repo it is for good: whatever answers is no Hub. About a
 * file it is so only after a few tries, for a hiccup of a proxy in the middle of a long transfer must not end it.
 */
export function protocolError(subject: Subject, problem: string): PrefetchError {
  return subject.about === 'file' ? nonsense('SourceUnavailable', subject, problem) : neverAnswered(subject, problem);
}

/** The same for what cannot get better by itself, whatever it is about. */
export function neverAnswered(subject: Subject, problem: string): PrefetchError {
  return nonsense('HubProtocol', subject, problem);
}

function nonsense(code: ErrorCode, subject: Subject, problem: string): PrefetchError {
  const text = `The answer of ${subject.endpoint} about ${name(subject)} makes no sense: ${problem}. Check that HF_ENDPOINT is a Hub.`;
  const details = { ...subjectDetails(subject), ...(code === 'SourceUnavailable' && { senseless: true }) };
  return new PrefetchError(code, text, { details });
}

/** The error for a request to the Hub that got no whole answer. */
export function failureError(subject: Subject, failure: HttpFailure): PrefetchError {
  if (failure.kind === 'tooLong' && subject.about !== 'file') return protocolError(subject, failure.reason);
  if (failure.received > 0 || failure.kind === 'tooLong') return bodyError(subject, subject.endpoint, failure);
  return connectionError(subject, subject.endpoint, failure);
}

function connectionError(subject: Subject, origin: string, { reason }: HttpFailure): PrefetchError {
  const details = { ...subjectDetails(subject), reason };
  if (isCertificateError(reason)) {
    return new PrefetchError(
      'HubProtocol',
      `The certificate of ${origin} is not trusted (${reason}), so ${name(subject)} was not asked for. Check HF_ENDPOINT; ` +
        'where a proxy or a Hub of your own has a certificate of its own, name its CA in NODE_EXTRA_CA_CERTS.',
      { details }
    );
  }
  const misspoken = /^HPE_/.test(reason) ? 'HTTP' : /^(?:EPROTO$|ERR_SSL_)/.test(reason) ? 'TLS' : undefined;
  const hint = misspoken === 'TLS' ? ', perhaps http:// is right' : '';
  if (misspoken !== undefined) {
    return protocolError(subject, `${origin} does not speak ${misspoken} (${reason})${hint}`);
  }
  return new PrefetchError(
    'HubUnavailable',
    `No answer from ${origin} about ${name(subject)}: ${reason}. Check HF_ENDPOINT and the network.`,
    { details }
  );
}

/** The error for where the Hub sent us, if that did not answer well. `origin` is all that may be said of its URL. */
export function sourceError(subject: Subject, origin: string, outcome: HubAnswer | HttpFailure): PrefetchError {
  if (outcome.kind !== 'answer') {
    if (outcome.received > 0 || outcome.kind === 'tooLong') return bodyError(subject, origin, outcome);
    if (subject.about !== 'file' || isCertificateError(outcome.reason)) {
      return connectionError(subject, origin, outcome);
    }
  }
  const problem = outcome.kind === 'answer' ? `status ${String(outcome.status)}` : outcome.reason;
  if (subject.about !== 'file' && outcome.kind === 'answer' && !mayPass(outcome.status)) {
    return protocolError(subject, `it leads to ${origin}, which answers with ${problem}`);
  }
  const answered = outcome.kind === 'answer' ? outcome : undefined;
  const retryAfterMs = answered && hubRetryAfterMs(answered.headers);
  return new PrefetchError(
    subject.about === 'file' ? 'SourceUnavailable' : 'HubUnavailable',
    `${origin} did not give ${name(subject)}: ${problem}.`,
    {
      details: { ...subjectDetails(subject), origin, status: answered?.status },
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    }
  );
}

/** Whether the Hub said no: the repo is gone or closed for us, or the token is bad. Anything else it may only be unwell. */
export function isRefusal(error: unknown): error is PrefetchError {
  return isPrefetchError(error) && REFUSALS.has(error.code);
}

/** Whether a refusal has no words: its status alone was read, and whoever sent it may only lack the page. */
export function isGuess(error: PrefetchError): boolean {
  return error.details['guessed'] === true;
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'RepoNotFound',
  'GatedRepo',
  'RevisionNotFound',
  'EntryNotFound',
  'InvalidToken',
  'DisabledRepo',
]);

function bodyError(subject: Subject, origin: string, failure: HttpFailure): PrefetchError {
  const code = failure.kind === 'silent' ? 'SourceStalled' : 'TruncatedSource';
  return new PrefetchError(
    code,
    `${origin} broke off ${name(subject)} after ${String(failure.received)} bytes: ${failure.reason}.`,
    {
      details: {
        ...subjectDetails(subject),
        received: failure.received,
        ...(failure.kind === 'tooLong' && { senseless: true }),
      },
    }
  );
}

function readRefusal(answer: HubAnswer): Refusal {
  const message = header(answer, 'x-error-message') ?? messageInBody(answer.body);
  const code = shown(header(answer, 'x-error-code'));
  const from = senderOf(answer, code ?? message);
  return {
    status: answer.status,
    code,
    message: foreignText(message ?? ''),
    requestId: shown(header(answer, 'x-request-id') ?? header(answer, 'x-amz-cf-id')),
    from,
    kind: from === 'another' ? kindOf(answer) : undefined,
    asksWho: header(answer, 'www-authenticate') !== undefined,
  };
}

function senderOf({ headers, body }: HubAnswer, reason: string | undefined): Refusal['from'] {
  if (reason !== undefined) return 'hub';
  return body.byteLength > 0 || /html|xml/i.test(headers['content-type'] ?? '') ? 'another' : 'nobody';
}

/** What came instead of an answer of a Hub, and from what: `text/html from nginx`. */
function kindOf(answer: HubAnswer): string {
  const server = shown(header(answer, 'server'));
  const type = shown(header(answer, 'content-type')) ?? 'a body without a type';
  return server === undefined ? type : `${type} from ${server}`;
}

/** Whether a status is one of an outage or a limit. */
export function mayPass(status: number): boolean {
  return status >= 500 || [408, 425, 429].includes(status);
}

/** What a refusal says of itself; undefined where only its status is left. */
function saidCode({ about }: Subject, { status, code, message, from }: Refusal): RefusalCode | undefined {
  if (status === 429) return 'RateLimited';
  // That is how some say that they know no such page, or method.
  if (status === 405 || status === 501) return 'HubProtocol';
  if (mayPass(status)) return 'HubUnavailable';
  // The Hub names a bad token in words only, and its code may then be RepoNotFound.
  if (status === 401 && /invalid credentials|token .*(expired|invalid)/i.test(message)) return 'InvalidToken';
  const named = NAMED.find((known) => known === code);
  if (named !== undefined) return named;
  if (status === 451 || /access to this resource is disabled/i.test(message)) return 'DisabledRepo';
  if (about === 'token') return status === 401 && from !== 'another' ? 'InvalidToken' : undefined;
  return (status === 401 || status === 403) && /\bgated\b/i.test(message) ? 'GatedRepo' : undefined;
}

function guessedCode(subject: Subject, { status, from, asksWho }: Refusal): RefusalCode {
  const { about, token } = subject;
  const senseless = about === 'file' ? 'SourceUnavailable' : 'HubProtocol';
  if (status === 401 || status === 403) {
    // The page of a proxy, or a store that was taken for a Hub; but who asks for credentials says what is missing.
    const isAsked = status === 401 && asksWho;
    if (!isAsked && (from === 'another' || about === 'token')) return senseless;
    return token === undefined ? 'RepoNotFound' : 'InvalidToken';
  }
  if (status !== 404 && status !== 410) return senseless;
  if (about === 'file') return 'EntryNotFound';
  // Whatever is no Hub says so too, of any page; a Hub says what it misses.
  return about === 'repo' && from === 'hub' ? 'RepoNotFound' : 'HubProtocol';
}

function trailer({ status, code, message, requestId, kind }: Refusal): string {
  return [
    `status ${String(status)}`,
    kind,
    code,
    message === '' ? undefined : `the Hub says: ${message}`,
    requestId === undefined ? undefined : `request id ${requestId}`,
  ]
    .filter((part) => part !== undefined)
    .join(', ');
}

function subjectDetails({ endpoint, repo, revision, path }: Subject): ErrorDetails {
  return { endpoint, repo, revision, path };
}

function messageInBody(body: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    if (typeof value !== 'object' || value === null || !('error' in value)) return undefined;
    return typeof value.error === 'string' ? value.error : undefined;
  } catch {
    return undefined;
  }
}

/** What a header says, where it says anything. */
function shown(text: string | undefined): string | undefined {
  return text === undefined ? undefined : foreignText(text, 100);
}
