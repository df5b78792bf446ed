import { createHash } from 'node:crypto';
import { listFiles, modelInfo, whoAmI } from '@huggingface/hub';
import { PrefetchError, isPrefetchError } from '../core/errors.js';
import { MiB } from '../core/units.js';
import { callHub, type HubClient } from './call-hub.js';
import { checkEntries } from './check-entries.js';
import { encodePath, locateFile, readFile } from './file-requests.js';
import { REVISION_FIELDS, readEntry, readRevision } from './hub-answers.js';
import { disabledError, protocolError, type Subject } from './hub-errors.js';
import { hubFetch } from './hub-fetch.js';
import type { Hub, HubFile, HubOptions, ResolvedRevision } from './hub.js';

/** Which Hub it is, and how much of its answers is believed. */
export interface HubSettings {
  /** Base URL of the Hub: `https://huggingface.co`. */
  readonly endpoint: string;
  readonly userAgent?: string;
  /** Longest silence of the Hub before a request fails; default 30,000. */
  readonly timeoutMs?: number;
  /** Most files and folders of a listing that are believed; default 500,000. */
  readonly maxEntries?: number;
  /** Most bytes of all pages of one; default 256 MiB. 100,000 files come to 40 MB. */
  readonly maxListingBytes?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_ENTRIES = 500_000;
const DEFAULT_MAX_LISTING_BYTES = 256 * MiB;
const WHO_AM_I_MS = 5 * 60_000;
const MAX_JSON_BYTES = 1024 * 1024;

/** The Hub at an endpoint, by its HTTP API. */
export function openHub(settings: HubSettings): Hub {
  const client: HubClient = {
    endpoint: checkedEndpoint(settings.endpoint),
    userAgent: settings.userAgent ?? 'temporal-model-prefetch',
    timeoutMs: settings.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxListingBytes: settings.maxListingBytes ?? DEFAULT_MAX_LISTING_BYTES,
  };
  return {
    endpoint: client.endpoint,
    whoAmI: rememberNames(({ token, signal }) => askName(client, token, signal)),
    resolveRevision: (repo, revision, options = {}) => resolveRevision(client, { repo, revision }, options),
    checkAccess: (repo, options = {}) => checkAccess(client, repo, options),
    listFiles: (repo, commit, options = {}) =>
      listCommit(client, { repo, commit, maxEntries: settings.maxEntries ?? DEFAULT_MAX_ENTRIES }, options),
    locate: (file, options = {}) => locateFile(client, file, options),
    read: (file, options = {}) => readFile(client, file, options),
  };
}

function checkedEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const good =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (good) return url.href.replace(/\/+$/, '');
  throw new PrefetchError(
    'InvalidInput',
    'HF_ENDPOINT: expected a URL such as "https://huggingface.co", http or https, without user, query or fragment'
  );
}

type AskName = (options: HubOptions & { readonly token: string }) => Promise<{ readonly name: string }>;

/** The Hub is strict about how often a token may be checked. Remembered by its SHA-256, so that no token is kept. */
function rememberNames(ask: AskName): AskName {
  const known = new Map<string, { readonly name: string; readonly until: number }>();
  return async (options) => {
    const now = Date.now();
    for (const [key, { until }] of known) if (until <= now) known.delete(key);
    const key = createHash('sha256').update(options.token).digest('hex');
    const remembered = known.get(key);
    if (remembered !== undefined) return { name: remembered.name };
    const { name } = await ask(options);
    known.set(key, { name, until: now + WHO_AM_I_MS });
    return { name };
  };
}

async function askName(client: HubClient, token: string, signal?: AbortSignal): Promise<{ readonly name: string }> {
  const subject: Subject = { endpoint: client.endpoint, about: 'token', token };
  return understood(subject, signal, async () => {
    // The library refuses tokens that do not start so; our fetch sends the real one in its place.
    const answer = await whoAmI({
      accessToken: 'hf_',
      hubUrl: client.endpoint,
      fetch: hubFetch(client, subject, signal),
    });
    if (typeof answer.name !== 'string') throw protocolError(subject, 'the field name is missing');
    return { name: answer.name };
  });
}

async function resolveRevision(
  client: HubClient,
  { repo, revision }: { readonly repo: string; readonly revision: string },
  { token, signal }: HubOptions
): Promise<ResolvedRevision> {
  const subject: Subject = { endpoint: client.endpoint, about: 'repo', repo, revision, token };
  const info = await understood(subject, signal, () =>
    modelInfo({
      name: encodePath(repo),
      revision,
      additionalFields: [...REVISION_FIELDS],
      hubUrl: client.endpoint,
      fetch: hubFetch(client, subject, signal),
    })
  );
  const read = readRevision(info);
  if (typeof read === 'string') throw protocolError(subject, read);
  const { disabled, ...resolved } = read;
  if (disabled) throw disabledError(subject);
  const pinned = /^[0-9a-f]{40}$/i.test(revision);
  if (pinned && revision.toLowerCase() !== resolved.commit) throw protocolError(subject, 'it names another commit');
  return resolved;
}

async function checkAccess(client: HubClient, repo: string, { token, signal }: HubOptions): Promise<void> {
  const subject: Subject = { endpoint: client.endpoint, about: 'repo', repo, token };
  const url = `${client.endpoint}/api/models/${encodePath(repo)}/auth-check`;
  try {
    await callHub(client, { method: 'GET', url, subject, signal, maxBytes: MAX_JSON_BYTES });
  } catch (error) {
    // A mirror may not have this page; the Hub would have named what it misses. There, the first file tells.
    const unknownPage = isPrefetchError(error, 'RepoNotFound') && error.details['status'] === 404;
    if (!unknownPage || error.details['errorCode'] !== undefined) throw error;
  }
}

async function* listCommit(
  client: HubClient,
  { repo, commit, maxEntries }: { readonly repo: string; readonly commit: string; readonly maxEntries: number },
  { token, signal }: HubOptions
): AsyncGenerator<HubFile> {
  const subject: Subject = { endpoint: client.endpoint, about: 'repo', repo, revision: commit, token };
  const entries = listFiles({
    repo: { type: 'model', name: encodePath(repo) },
    // The library does not encode it.
    revision: encodeURIComponent(commit),
    recursive: true,
    hubUrl: client.endpoint,
    fetch: hubFetch(client, subject, signal),
  });
  const check = checkEntries(subject, maxEntries);
  for (;;) {
    const next = await understood(subject, signal, () => entries.next());
    if (next.done === true) return;
    check(next.value);
    const file = readEntry(next.value);
    if (typeof file === 'string') throw protocolError(subject, file);
    if (file !== undefined) yield file;
  }
}

/** Runs a call of the library, which trips over an answer of an unknown shape with an error of its own. */
async function understood<T>(subject: Subject, signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    signal?.throwIfAborted();
    if (isPrefetchError(error)) throw error;
    throw protocolError(subject, 'JSON of an unknown shape');
  }
}
