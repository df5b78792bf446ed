import type { ByteLocation } from '../core/byte-source.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { KiB } from '../core/units.js';
import { compressionsOf } from '../http/content-encoding.js';
import { isSenseless } from '../http/range-answer.js';
import { authorization, callHub, type HubClient, type HubReply } from './call-hub.js';
import { header, type HubAnswer } from './exchange.js';
import { readDigest } from './hub-answers.js';
import { mayPass, neverAnswered, type Subject } from './hub-errors.js';
import type { FileFacts, FileReference, HubOptions } from './hub.js';
import { encodePath, repoUrls } from './repo-urls.js';
import { usableMs } from './signed-url.js';

const PACKING_BYTES = 64 * KiB;

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

/** What the headers of a file say about its bytes, as `Hub.describe` promises it. */
export async function describeFile(
  client: HubClient,
  file: FileReference & FileFacts,
  { token, signal }: HubOptions
): Promise<FileFacts> {
  const subject = fileSubject(client, file, token);
  const asked = { method: 'HEAD', url: fileUrl(client, file), subject, signal, maxBytes: 0 } as const;
  const reply = await callHub(client, { ...asked, stopAtOtherOrigin: true }).catch(nothingIf(isNoSuchMethod));
  if (reply === undefined) return {};
  checkCommit(subject, reply);
  const facts = { ...(reply.elsewhere ? {} : factsOf(reply.answer)), ...linkedFacts(reply) };
  const known = { ...file, ...facts };
  if (!reply.elsewhere || (known.size !== undefined && known.digest !== undefined)) return facts;
  // The signature of a URL may be for GET alone.
  const there = await callHub(client, { ...asked, url: reply.url.href }).catch(nothingIf(isRefusedHead));
  return { ...(there !== undefined && factsElsewhere(there.answer)), ...facts };
}

function factsElsewhere(answer: HubAnswer): FileFacts {
  // 40 digits may be anything at all there; 64 are what the CDN of the Hub names its objects by.
  const { digest, ...rest } = factsOf(answer);
  return { ...rest, ...(digest?.algorithm === 'sha256' && { digest }) };
}

function nothingIf(isNoAnswer: (error: unknown) => boolean): (error: unknown) => undefined {
  return (error) => {
    if (!isNoAnswer(error)) throw error;
    return undefined;
  };
}

/** Whether a host that is no Hub refuses to be asked; what may pass, and what names the reason, is none of these. */
function isRefusedHead(error: unknown): boolean {
  if (isSenseless(error) || isNoSuchMethod(error)) return true;
  if (!isPrefetchError(error, 'SourceUnavailable')) return false;
  const { status } = error.details;
  return typeof status === 'number' && !mayPass(status);
}

/** The ETag and the length of an answer that is the file. An ETag of another form is no digest. */
function factsOf(answer: HubAnswer): FileFacts {
  return asFacts(header(answer, 'etag'), lengthOf(answer));
}

/** What the Hub says of the file behind its redirect, whose own ETag is that of a pointer. */
function linkedFacts({ told: { linkedEtag, linkedSize } }: HubReply): FileFacts {
  return asFacts(linkedEtag, linkedSize === undefined ? undefined : readSize(linkedSize));
}

function asFacts(etag: string | undefined, size: number | undefined): FileFacts {
  const hex = /^(?:W\/)?"?([0-9a-f]+)"?$/i.exec(etag ?? '')?.[1];
  const digest = readDigest('sha256', hex) ?? readDigest('gitSha1', hex);
  return { ...(size !== undefined && { size }), ...(digest !== undefined && { digest }) };
}

function readSize(text: string): number | undefined {
  const size = /^\d+$/.test(text) ? Number(text) : undefined;
  return size !== undefined && Number.isSafeInteger(size) ? size : undefined;
}

function isNoSuchMethod(error: unknown): boolean {
  return isPrefetchError(error) && [405, 501].includes(Number(error.details['status']));
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
    // What a proxy packed may be longer than what it was.
    maxBytes: file.size + PACKING_BYTES,
    size: file.size,
  });
  checkCommit(subject, reply);
  const { body, headers } = reply.answer;
  if (body.byteLength === file.size) return body;
  // Without these, a connection that broke off looks like the end.
  const isWhole = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  throw new PrefetchError(
    'TruncatedSource',
    `${reply.url.origin} gave ${String(body.byteLength)} bytes of ${JSON.stringify(file.path)}, expected ${String(file.size)}.`,
    {
      details: {
        repo: file.repo,
        path: file.path,
        expected: file.size,
        received: body.byteLength,
        ...(isWhole && { senseless: true }),
      },
    }
  );
}

function fileUrl(client: HubClient, { repo, commit, path }: FileReference): string {
  return `${repoUrls(client, repo).files}/resolve/${encodeURIComponent(commit)}/${encodePath(path)}`;
}

function fileSubject(
  { endpoint }: HubClient,
  { repo, commit, path }: FileReference,
  token: string | undefined
): Subject {
  return { endpoint, about: 'file', repo, revision: commit, path, token };
}

/** A mirror may not say which commit a file is of, for the digest decides; but what is said must be right. */
function checkCommit(subject: Subject, { told: { repoCommit } }: HubReply): void {
  if (repoCommit === undefined || repoCommit.toLowerCase() === subject.revision) return;
  throw neverAnswered(subject, 'a file of another commit');
}

/** How many bytes a file has that was not packed on its way. */
function lengthOf({ headers }: HubAnswer): number | undefined {
  const isPacked = compressionsOf(headers['content-encoding']).length > 0;
  const length = isPacked ? undefined : headers['content-length'];
  return length === undefined ? undefined : readSize(length);
}
