import { PrefetchError, type ErrorCode, type ErrorDetails } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import { header, type HubAnswer, type HttpFailure } from './exchange.js';
import { hubRetryAfterMs } from './retry-after.js';

/** What was asked for, so that a message can name it. */
export interface Subject {
  readonly endpoint: string;
  readonly about: 'token' | 'repo' | 'file';
  readonly repo?: string;
  readonly revision?: string;
  readonly path?: string;
  readonly token: string | undefined;
}

type RefusalCode = Extract<
  ErrorCode,
  | 'RepoNotFound'
  | 'GatedRepo'
  | 'RevisionNotFound'
  | 'EntryNotFound'
  | 'InvalidToken'
  | 'DisabledRepo'
  | 'RateLimited'
  | 'HubUnavailable'
  | 'HubProtocol'
>;

/** The Hub's own reasons, as its headers give them. */
interface Refusal {
  readonly status: number;
  readonly code: string | undefined;
  readonly message: string;
  readonly requestId: string | undefined;
}

/** Windows of the Hub's rate limits last five minutes; without a header, one minute is a fair guess. */
const DEFAULT_RATE_LIMIT_MS = 60_000;
const NAMED = ['RepoNotFound', 'GatedRepo', 'RevisionNotFound', 'EntryNotFound'] as const;

/** The error for an answer of the Hub that is no success. */
export function refusalError(subject: Subject, answer: HubAnswer): PrefetchError {
  const refusal = readRefusal(answer);
  const code = refusalCode(subject, refusal);
  const retryAfterMs = hubRetryAfterMs(answer.headers) ?? (code === 'RateLimited' ? DEFAULT_RATE_LIMIT_MS : undefined);
  const waits = retryAfterMs !== undefined && (code === 'RateLimited' || code === 'HubUnavailable');
  return new PrefetchError(code, `${sentences[code](subject)} (${trailer(refusal)})`, {
    details: {
      ...subjectDetails(subject),
      status: refusal.status,
      errorCode: refusal.code,
      requestId: refusal.requestId,
    },
    ...(waits && { retryAfterMs }),
  });
}

/** The error for a repo that the Hub describes as disabled. */
export function disabledError(subject: Subject): PrefetchError {
  return new PrefetchError('DisabledRepo', sentences.DisabledRepo(subject), { details: subjectDetails(subject) });
}

/** The error for an answer of the Hub that makes no sense. */
export function protocolError(subject: Subject, problem: string): PrefetchError {
  return new PrefetchError(
    'HubProtocol',
    `The answer of ${subject.endpoint} about ${name(subject)} makes no sense: ${problem}. Check that HF_ENDPOINT is a Hub.`,
    { details: subjectDetails(subject) }
  );
}

/** The error for a request to the Hub that got no whole answer. */
export function failureError(subject: Subject, failure: HttpFailure): PrefetchError {
  if (failure.kind === 'tooLong' && subject.about !== 'file') return protocolError(subject, failure.reason);
  if (failure.received > 0 || failure.kind === 'tooLong') return bodyError(subject, subject.endpoint, failure);
  return new PrefetchError(
    'HubUnavailable',
    `No answer from ${subject.endpoint} about ${name(subject)}: ${failure.reason}. Check HF_ENDPOINT and the network.`,
    { details: { ...subjectDetails(subject), reason: failure.reason } }
  );
}

/** The error for a CDN, where the Hub sent us, that did not give the bytes. `origin` is all that may be said of its URL. */
export function sourceError(subject: Subject, origin: string, outcome: HubAnswer | HttpFailure): PrefetchError {
  if (outcome.kind !== 'answer' && (outcome.received > 0 || outcome.kind === 'tooLong')) {
    return bodyError(subject, origin, outcome);
  }
  const problem = outcome.kind === 'answer' ? `status ${String(outcome.status)}` : outcome.reason;
  const retryAfterMs = outcome.kind === 'answer' ? hubRetryAfterMs(outcome.headers) : undefined;
  return new PrefetchError('SourceUnavailable', `${origin} did not give ${name(subject)}: ${problem}.`, {
    details: { ...subjectDetails(subject), origin },
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function bodyError(subject: Subject, origin: string, failure: HttpFailure): PrefetchError {
  const code = failure.kind === 'silent' ? 'SourceStalled' : 'TruncatedSource';
  return new PrefetchError(
    code,
    `${origin} broke off ${name(subject)} after ${String(failure.received)} bytes: ${failure.reason}.`,
    { details: { ...subjectDetails(subject), received: failure.received } }
  );
}

function readRefusal(answer: HubAnswer): Refusal {
  const message = header(answer, 'x-error-message') ?? messageInBody(answer.body);
  return {
    status: answer.status,
    code: shown(header(answer, 'x-error-code')),
    message: foreignText(message ?? ''),
    requestId: shown(header(answer, 'x-request-id') ?? header(answer, 'x-amz-cf-id')),
  };
}

function refusalCode(subject: Subject, { status, code, message }: Refusal): RefusalCode {
  if (status === 429) return 'RateLimited';
  if (status >= 500 || status === 408 || status === 425) return 'HubUnavailable';
  // The Hub names a bad token in words only, and its code may then be RepoNotFound.
  if (status === 401 && /invalid credentials|token .*(expired|invalid)/i.test(message)) return 'InvalidToken';
  const named = NAMED.find((known) => known === code);
  if (named !== undefined) return named;
  if (status === 451 || /access to this resource is disabled/i.test(message)) return 'DisabledRepo';
  if (status === 401 || status === 403) {
    if (subject.about === 'token') return 'InvalidToken';
    if (/\bgated\b/i.test(message)) return 'GatedRepo';
    return subject.token === undefined ? 'RepoNotFound' : 'InvalidToken';
  }
  if (status === 404 || status === 410) return notFoundCode(subject);
  return 'HubProtocol';
}

function notFoundCode({ about }: Subject): RefusalCode {
  if (about === 'file') return 'EntryNotFound';
  return about === 'repo' ? 'RepoNotFound' : 'HubProtocol';
}

const sentences: Record<RefusalCode, (subject: Subject) => string> = {
  RepoNotFound: (subject) =>
    subject.token === undefined
      ? `${name(subject)} is private, gated or missing on ${subject.endpoint}. Check the name, or set a token: ${HOW_TO_TOKEN}.`
      : `${name(subject)} is not on ${subject.endpoint}, or this token may not see it. Check the name and the token: ${HOW_TO_TOKEN}.`,
  GatedRepo: (subject) =>
    `${name(subject)} is gated${subject.token === undefined ? ' and no token was sent' : ' and this token has no access'}. ` +
    `Accept its terms at ${subject.endpoint}/${subject.repo ?? ''} and use a token of that account: ${HOW_TO_TOKEN}.`,
  RevisionNotFound: (subject) =>
    `${subject.repo ?? ''} on ${subject.endpoint} has no revision ${JSON.stringify(subject.revision ?? '')}. ` +
    'Check the field revision (--revision).',
  EntryNotFound: (subject) => `${name(subject)} is not on ${subject.endpoint}.`,
  InvalidToken: (subject) =>
    `${subject.endpoint} refuses the token${subject.about === 'token' ? '' : ` for ${name(subject)}`}. ` +
    `Check that it is valid and may read this: ${HOW_TO_TOKEN}.`,
  DisabledRepo: (subject) => `${name(subject)} is disabled on ${subject.endpoint}: nobody can read it.`,
  RateLimited: (subject) =>
    `${subject.endpoint} limits our requests${subject.token === undefined ? `; a token raises the limit: ${HOW_TO_TOKEN}` : ''}.`,
  HubUnavailable: (subject) => `${subject.endpoint} cannot answer about ${name(subject)} now.`,
  HubProtocol: (subject) =>
    `${subject.endpoint} gave an unexpected answer about ${name(subject)}. Check that HF_ENDPOINT is a Hub.`,
};

const HOW_TO_TOKEN = 'HF_TOKEN on the worker, or another secret there named by hfTokenKey (--hf-token-key)';

function name({ about, repo, revision, path }: Subject): string {
  if (about === 'token' || repo === undefined) return 'the token';
  const at = revision === undefined ? repo : `${repo}@${revision}`;
  return path === undefined ? at : `${JSON.stringify(path.slice(0, 200))} of ${at}`;
}

function trailer({ status, code, message, requestId }: Refusal): string {
  return [
    `status ${String(status)}`,
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
