import { createHash } from 'node:crypto';
import { PrefetchError } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import { MiB } from '../core/units.js';
import { callHub, type HubClient } from './call-hub.js';
import { describeFile, locateFile, readFile } from './file-requests.js';
import { protocolError, type Subject } from './hub-errors.js';
import { askJson, mayBeUnknown } from './hub-json.js';
import type { Hub, HubOptions } from './hub.js';
import { listCommit } from './list-commit.js';
import { repoUrls } from './repo-urls.js';
import { resolveRevision } from './resolve-revision.js';

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
const MAX_NAME = 100;
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
    describe: (file, options = {}) => describeFile(client, file, options),
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
  const answer = await askJson(client, { url: `${client.endpoint}/api/whoami-v2`, subject, signal });
  if (typeof answer === 'object' && answer !== null && 'name' in answer && typeof answer.name === 'string') {
    return { name: foreignText(answer.name, MAX_NAME) };
  }
  throw protocolError(subject, 'the field name is missing');
}

async function checkAccess(client: HubClient, repo: string, { token, signal }: HubOptions): Promise<void> {
  const subject: Subject = { endpoint: client.endpoint, about: 'repo', repo, token };
  const url = `${repoUrls(client, repo).api}/auth-check`;
  try {
    await callHub(client, { method: 'GET', url, subject, signal, maxBytes: MAX_JSON_BYTES });
  } catch (error) {
    // A mirror may not have this page; the Hub would have named what it misses. There, the first file tells.
    if (!mayBeUnknown(error)) throw error;
  }
}
