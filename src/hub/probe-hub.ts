import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import { MiB } from '../core/units.js';
import { proxyFor } from '../http/proxies.js';
import { exchange, header, type HubAnswer } from './exchange.js';
import { failureError, mayPass, type Subject } from './hub-errors.js';
import { redirectTarget } from './redirect.js';
import { speaksTls } from './speaks-tls.js';

/** What is asked, and how long for. */
export interface ProbeOptions {
  readonly endpoint: string;
  readonly userAgent: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Who gets pages for people is asked once more with it: a mirror may show a login to everybody else. */
  readonly token?: string;
}

/** `hub` answered as one; `unknown` may be one that is poor, and `unwell` one that has an outage or a limit. */
export interface ProbedHub {
  readonly kind: 'hub' | 'unknown' | 'unwell';
  /** What came instead of answers of a Hub. */
  readonly answers: string;
}

/** No repo has this name, and whatever is a Hub says so in some way. */
const NOBODYS = 'no-such-owner/no-such-repo';
const QUESTIONS = ['api/whoami-v2', `api/models/${NOBODYS}/revision/main`, `${NOBODYS}/resolve/main/config.json`];
const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * A page for people, given as if it were right, and XML are what portals and stores answer to any question. A page that a
 * redirect leads to may be the login of a right one.
 */
interface Answer {
  readonly kind: 'hub' | 'page' | 'login' | 'xml' | 'unwell' | 'other';
  readonly text: string;
}

/**
 * Tells a Hub from something else, without a repo. What answers JSON to one of three questions is taken for one, and what
 * answers all of them with pages or XML is none (`HubProtocol`). A mirror may lack what is asked for, refuse it in any other
 * way, or lead to a login: that tells nothing.
 */
export async function probeHub(options: ProbeOptions): Promise<ProbedHub> {
  const { token, ...anonymously } = options;
  const found = await askAll(anonymously);
  const hidden = found.every(({ kind }) => kind === 'page' || kind === 'login');
  return verdict(options.endpoint, hidden && token !== undefined ? await askAll(options) : found);
}

/** The answers to the questions, up to one of a Hub. */
async function askAll(options: ProbeOptions): Promise<Answer[]> {
  const found: Answer[] = [];
  for (const question of QUESTIONS) {
    const answer = await ask(`${options.endpoint}/${question}`, options);
    found.push(answer);
    if (answer.kind === 'hub') break;
  }
  return found;
}

function verdict(endpoint: string, found: readonly Answer[]): ProbedHub {
  const hub = found.find(({ kind }) => kind === 'hub');
  if (hub !== undefined) return { kind: 'hub', answers: hub.text };
  const answers = [...new Set(found.map(({ text }) => text))].join('; ');
  if (found.every(({ kind }) => kind === 'page' || kind === 'xml')) {
    throw noHub(endpoint, `it answers what a Hub is asked with ${answers}`);
  }
  return { kind: found.some(({ kind }) => kind === 'unwell') ? 'unwell' : 'unknown', answers };
}

async function ask(first: string, options: ProbeOptions): Promise<Answer> {
  const { endpoint, userAgent, timeoutMs, signal, token } = options;
  const subject: Subject = { endpoint, about: 'hub', token };
  const asWhom = token === undefined ? {} : { authorization: `Bearer ${token}` };
  let url = new URL(first);
  for (let hop = 0; ; hop++) {
    const outcome = await exchange({
      method: 'GET',
      url: url.href,
      headers: { 'accept-encoding': 'identity', 'user-agent': userAgent, ...asWhom },
      maxBytes: MiB,
      timeoutMs,
      signal,
    });
    // Where an unknown page leads to says nothing about the ones that are known.
    const elsewhere = url.origin !== new URL(endpoint).origin;
    if (outcome.kind === 'tooLong') return { kind: 'other', text: outcome.reason };
    if (outcome.kind !== 'answer') {
      if (elsewhere) return { kind: 'other', text: `a redirect to ${url.origin}, which gives no answer` };
      throw (await askedInTheClear(url, outcome.reason, options)) ?? failureError(subject, outcome);
    }
    if (isPlainOnTls(outcome)) throw noHub(endpoint, 'it speaks TLS: perhaps https:// is right');
    // A token goes to the one that was asked, and nowhere else.
    const last = hop === MAX_REDIRECTS || token !== undefined;
    const target = last ? undefined : redirectOf(subject, url, outcome);
    if (target === undefined) return judged(outcome, hop > 0);
    url = target;
  }
}

function judged(answer: HubAnswer, redirected: boolean): Answer {
  const kind = kindOf(answer);
  const text = describe(answer);
  return redirected && kind === 'page' ? { kind: 'login', text: `${text} behind a redirect` } : { kind, text };
}

function redirectOf(subject: Subject, from: URL, answer: HubAnswer): URL | undefined {
  if (!REDIRECTS.includes(answer.status)) return undefined;
  try {
    return redirectTarget(subject, { from, location: header(answer, 'location') });
  } catch (error) {
    if (isPrefetchError(error, 'HubProtocol')) return undefined;
    throw error;
  }
}

/** A server that has TLS only hangs up on whoever speaks HTTP to it: no waiting heals that. */
async function askedInTheClear(
  url: URL,
  reason: string,
  { endpoint, timeoutMs }: ProbeOptions
): Promise<PrefetchError | undefined> {
  if (url.protocol !== 'http:' || proxyFor(url) !== undefined) return undefined;
  if (!/^(?:ECONNRESET|EPIPE|HPE_)/.test(reason) || !(await speaksTls(url, timeoutMs))) return undefined;
  return noHub(endpoint, 'it speaks TLS: perhaps https:// is right');
}

/** Others say so. */
function isPlainOnTls({ status, body }: HubAnswer): boolean {
  return status === 400 && /HTTP request (?:was sent )?to (?:an )?HTTPS/i.test(Buffer.from(body).toString('utf8'));
}

function noHub(endpoint: string, problem: string): PrefetchError {
  return new PrefetchError('HubProtocol', `${endpoint} is no Hub: ${problem}. Check HF_ENDPOINT`, {
    details: { endpoint },
  });
}

function kindOf(answer: HubAnswer): Answer['kind'] {
  const { status, body } = answer;
  if (header(answer, 'x-error-code') !== undefined || header(answer, 'x-error-message') !== undefined) return 'hub';
  if (mayPass(status)) return 'unwell';
  if (isJson(body)) return 'hub';
  const type = header(answer, 'content-type') ?? '';
  const start = Buffer.from(body.subarray(0, 500)).toString('utf8').trimStart();
  if (/html/i.test(type) || /^<(?:!doctype html|html)/i.test(start)) return status < 300 ? 'page' : 'other';
  return /xml/i.test(type) || start.startsWith('<?xml') ? 'xml' : 'other';
}

function isJson(body: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return typeof value === 'object';
  } catch {
    return false;
  }
}

function describe(answer: HubAnswer): string {
  const type = header(answer, 'content-type');
  const server = header(answer, 'server');
  const what = type === undefined ? 'nothing that has a type' : foreignText(type, 60);
  return `${what}${server === undefined ? '' : ` from ${foreignText(server, 60)}`} (status ${String(answer.status)})`;
}
