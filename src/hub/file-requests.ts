import type { ByteLocation } from '../core/byte-source.js';
import { PrefetchError } from '../core/errors.js';
import { authorization, callHub, type HubClient, type HubReply } from './call-hub.js';
import { protocolError, type Subject } from './hub-errors.js';
import type { FileReference, HubOptions } from './hub.js';
import { usableMs } from './signed-url.js';

/** The location of a file, as `Hub.locate` promises it. */
export async function locateFile(
  client: HubClient,
  file: FileReference,
  { token, signal }: HubOptions
): Promise<ByteLocation> {
  const subject = fileSubject(client, file, token);
  const asked = Date.now();
  const reply = await callHub(client, {
    method: 'HEAD',
    url: fileUrl(client, file),
    subject,
    signal,
    maxBytes: 0,
    stopAtOtherOrigin: true,
  });
  checkCommit(subject, reply);
  const date = Date.parse(reply.answer.headers.date ?? '');
  return {
    url: reply.url.href,
    headers: reply.elsewhere ? {} : authorization(token),
    expiresAt: asked + usableMs(reply.url, Number.isNaN(date) ? asked : date),
  };
}

/** The bytes of a small file, as `Hub.read` promises them. */
export async function readFile(
  client: HubClient,
  file: FileReference & { readonly size: number },
  { token, signal }: HubOptions
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  // Servers disagree about empty bodies, and there is nothing to ask for.
  if (file.size === 0) return new Uint8Array(0);
  const subject = fileSubject(client, file, token);
  const reply = await callHub(client, {
    method: 'GET',
    url: fileUrl(client, file),
    subject,
    signal,
    maxBytes: file.size,
  });
  checkCommit(subject, reply);
  const { body } = reply.answer;
  if (body.byteLength === file.size) return body;
  throw new PrefetchError(
    'TruncatedSource',
    `${reply.url.origin} gave ${String(body.byteLength)} bytes of ${JSON.stringify(file.path)}, expected ${String(file.size)}.`,
    { details: { repo: file.repo, path: file.path, expected: file.size, received: body.byteLength } }
  );
}

/** A path or revision for a URL, slashes between segments kept. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function fileUrl({ endpoint }: HubClient, { repo, commit, path }: FileReference): string {
  return `${endpoint}/${encodePath(repo)}/resolve/${encodeURIComponent(commit)}/${encodePath(path)}`;
}

function fileSubject(
  { endpoint }: HubClient,
  { repo, commit, path }: FileReference,
  token: string | undefined
): Subject {
  return { endpoint, about: 'file', repo, revision: commit, path, token };
}

/** Every file of a Hub comes with its commit: without it, something else answered in the Hub's place. */
function checkCommit(subject: Subject, { repoCommit }: HubReply): void {
  if (repoCommit === subject.revision) return;
  throw protocolError(subject, repoCommit === undefined ? 'no header X-Repo-Commit' : 'a file of another commit');
}
