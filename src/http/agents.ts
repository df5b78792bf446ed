import * as http from 'node:http';
import * as https from 'node:https';
import type { HttpTarget } from '../core/byte-source.js';
import { PrefetchError } from '../core/errors.js';
import { contextWith } from './authorities.js';
import { createAgents } from './proxy-agents.js';
import { closeIdleConnections } from './raw-connection.js';

// Lanes bound the number of sockets, so the agents do not: a second queue behind the lanes would only hide stalls.
const settings = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 64 };
const { plain, secure } = createAgents(settings);
const trusting = new Map<string, typeof secure>();

/** Starts a request to a target on a shared keep-alive connection. */
export function startRequest(
  target: HttpTarget,
  options: { readonly method: string; readonly headers: http.OutgoingHttpHeaders }
): http.ClientRequest {
  const url = parseTarget(target);
  const headers = { ...target.headers, ...options.headers };
  return url.protocol === 'https:'
    ? https.request(url, { method: options.method, headers, agent: secureAgent(target.ca) })
    : http.request(url, { method: options.method, headers, agent: plain });
}

/** A store with an authority of its own has connections of its own. */
function secureAgent(ca: string | undefined): typeof secure {
  if (ca === undefined) return secure;
  const agent = trusting.get(ca) ?? createAgents({ ...settings, secureContext: contextWith(ca) }).secure;
  trusting.set(ca, agent);
  return agent;
}

/** What a message may say about a target: the rest of its URL may be signed. */
export function originOf(target: HttpTarget): string {
  return parseTarget(target).origin;
}

/** Closes the connections that no request uses at the moment. */
export function closeIdleSockets(): void {
  closeIdleConnections();
  for (const agent of [plain, secure, ...trusting.values()]) agent.closeIdle();
}

function parseTarget(target: HttpTarget): URL {
  // The error of `new URL` holds its input, which may be signed.
  if (!URL.canParse(target.url)) throw new PrefetchError('Internal', 'A location is not a valid URL.');
  return new URL(target.url);
}
