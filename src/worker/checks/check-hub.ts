import { readToken } from '../../config/secrets.js';
import { compact } from '../../core/compact.js';
import { isPrefetchError, rewrap, type PrefetchError } from '../../core/errors.js';
import { openHub } from '../../hub/open-hub.js';
import { probeHub, type ProbedHub } from '../../hub/probe-hub.js';
import { HUB_ROLES } from './check-tokens.js';
import type { Check, CheckContext } from './check-worker.js';
import { tryAgain } from './try-again.js';

const TIMEOUT_MS = 10_000;
const USER_AGENT = 'temporal-model-prefetch';
/** A name that is none, or a port that nobody listens on: a mistake, or a Hub that comes up at the same time. */
const NOT_THERE = /\b(?:ENOTFOUND|ECONNREFUSED)\b/;

/**
 * Whether the Hub is one, and takes the default token. One that is only unwell is a warning: Dirs that are published are
 * served meanwhile.
 */
export const checkHub: Check = async (context) => {
  const { settings, roles, warn } = context;
  if (!roles.some((role) => HUB_ROLES.includes(role))) return [];
  const endpoint = settings.hubEndpoint;
  const probed = await probe(context);
  if (probed === undefined) return [];
  if (probed.kind === 'unwell') {
    warn(`The Hub ${endpoint} is unwell: ${probed.answers}. Until it answers, only what is published is served`);
    return [];
  }
  if (probed.kind === 'unknown') {
    warn(`Nothing tells whether ${endpoint} is a Hub: it answers ${probed.answers}. Runs fail if it is none`);
  }
  await checkToken(context);
  return [`Hub ${endpoint}`];
};

async function probe(context: CheckContext): Promise<ProbedHub | undefined> {
  const { settings, signal, warn } = context;
  const token = await defaultToken(settings);
  const asked = { endpoint: settings.hubEndpoint, userAgent: USER_AGENT, timeoutMs: TIMEOUT_MS };
  const options = { ...asked, ...compact({ signal, token }) };
  try {
    return await tryAgain(context, isNotThere, () => probeHub(options));
  } catch (error) {
    if (!isPrefetchError(error)) throw error;
    if (error.permanent || isNotThere(error)) throw error;
    warn(`${error.message} Until it answers, only what is published is served`);
    return undefined;
  }
}

function isNotThere(error: unknown): boolean {
  return isPrefetchError(error, 'HubUnavailable') && NOT_THERE.test(String(error.details['reason']));
}

/** A token that the Hub refuses would fail every run that names no other. A mirror may have no page to ask. */
async function checkToken({ settings, signal }: CheckContext): Promise<void> {
  const token = await defaultToken(settings);
  if (token === undefined) return;
  const hub = openHub({ endpoint: settings.hubEndpoint, userAgent: USER_AGENT, timeoutMs: TIMEOUT_MS });
  try {
    await hub.whoAmI({ token, signal });
  } catch (error) {
    const isRefused = isPrefetchError(error, 'InvalidToken') && error.details['status'] === 401;
    if (isRefused) throw invalidToken(error);
  }
}

function defaultToken(settings: CheckContext['settings']): Promise<string | undefined> {
  return readToken(undefined, settings).catch(() => undefined);
}

function invalidToken(error: PrefetchError): PrefetchError {
  return rewrap(error, { text: `HF_TOKEN: ${error.text}. Without HF_TOKEN, runs are anonymous` });
}
