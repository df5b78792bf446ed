import type { ErrorCode } from '../core/errors.js';
import type { Subject } from './hub-errors.js';

/** What a refusal of the Hub may come to. */
export type RefusalCode = Extract<
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
  | 'SourceUnavailable'
>;

/** What each of them says to people: what failed, where, and what repairs it. */
export const sentences: Record<RefusalCode, (subject: Subject) => string> = {
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
    `${subject.endpoint} gave an answer about ${name(subject)} that is none of a Hub. ` +
    `Check that HF_ENDPOINT is a Hub${subject.about === 'repo' ? ', and the name of the repo' : ''}.`,
  SourceUnavailable: (subject) =>
    `${subject.endpoint} did not give ${name(subject)}, and not as a Hub refuses. Check that HF_ENDPOINT is a Hub, and what ` +
    'stands before it: a login, a firewall, a proxy.',
};

const HOW_TO_TOKEN =
  'HF_TOKEN on the worker, or another secret there named by hfTokenKey (--hf-token-key); embedded, that of hf auth login too';

/** What was asked for, in words. */
export function name({ about, repo, revision, path }: Subject): string {
  if (about === 'hub') return 'its API';
  if (about === 'token' || repo === undefined) return 'the token';
  const at = revision === undefined ? repo : `${repo}@${revision}`;
  return path === undefined ? at : `${JSON.stringify(path.slice(0, 200))} of ${at}`;
}
