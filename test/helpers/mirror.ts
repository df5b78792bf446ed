import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { startServer, type LocalServer } from './local-server.js';

/** What a mirror does otherwise than one that is only poor. */
export interface MirrorOptions {
  /** Files of which it says no digest, by path. */
  readonly withoutDigest?: readonly string[];
}

export interface Mirror extends LocalServer {
  /** Requests as `METHOD path?query`. */
  readonly asked: string[];
  /** From now on it gives this answer to everything, or answers again. */
  instead: { readonly status: number; readonly headers: Record<string, string>; readonly body: string } | undefined;
}

/**
 * A mirror in front of a Hub that has just what a download needs: a description of a repo with the names of its files, and
 * the files, as its own and without their commit. Whatever else it is asked it calls a bad request.
 */
export async function startMirror(hubUrl: string, { withoutDigest = [] }: MirrorOptions = {}): Promise<Mirror> {
  const asked: string[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '' } = request;
    asked.push(`${method} ${url}`);
    if (mirror.instead !== undefined) {
      response.writeHead(mirror.instead.status, mirror.instead.headers).end(mirror.instead.body);
      return;
    }
    const path = url.replace(/\?.*/, '');
    if (path.startsWith('/api/models/') && path.includes('/revision/')) {
      await describe(`${hubUrl}${path}`, response);
    } else if (path.includes('/resolve/')) {
      await giveFile(request, response, {
        url: `${hubUrl}${path}`,
        digest: !withoutDigest.some((end) => path.endsWith(end)),
      });
    } else {
      response.writeHead(400, { 'Content-Type': 'text/html' }).end('<html>Bad Request</html>');
    }
  };
  const server = await startServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  const mirror: Mirror = Object.assign(server, { asked, instead: undefined });
  return mirror;
}

async function describe(url: string, response: ServerResponse): Promise<void> {
  const answer = await fetch(url);
  const { sha, siblings } = (await answer.json()) as { sha?: string; siblings?: { rfilename: string }[] };
  const names = siblings?.map(({ rfilename }) => ({ rfilename }));
  response
    .writeHead(answer.status, { 'Content-Type': 'application/json' })
    .end(JSON.stringify({ sha, siblings: names }));
}

async function giveFile(
  { method, headers: { range } }: IncomingMessage,
  response: ServerResponse,
  { url, digest }: { readonly url: string; readonly digest: boolean }
): Promise<void> {
  // The CDN behind the Hub names its objects by SHA-256, and the Hub the others by their blob id.
  const answer = await fetch(url, { method: method ?? 'GET', headers: range === undefined ? {} : { range } });
  const kept = ['content-length', 'content-range', ...(digest ? ['etag'] : [])];
  const headers = kept.flatMap((name) => (answer.headers.has(name) ? [[name, answer.headers.get(name) ?? '']] : []));
  response.writeHead(answer.status, Object.fromEntries(headers) as Record<string, string>);
  if (answer.body === null || method === 'HEAD') response.end();
  else await pipeline(Readable.fromWeb(answer.body), response);
}
