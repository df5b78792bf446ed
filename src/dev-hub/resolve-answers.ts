import { refusedFiles } from './access.js';
import { contentAnswer, errorAnswer, redirectAnswer, textAnswer, type Answer } from './answer.js';
import { bytesContent } from './content.js';
import { isDataset, lfsPointer, type HostedCommit, type HostedFile } from './hosted-repo.js';
import type { RepoRequest } from './hub-answers.js';
import { findCdnFile, type HubCatalogue } from './hub-catalogue.js';
import type { OriginRequest } from './origin-server.js';
import type { UrlSigner } from './signed-url.js';

/** `GET` and `HEAD /{id}/resolve/{rev}/{path}`: LFS files by 302 from the CDN, others from here. */
export async function resolveFile(known: RepoRequest, commit: HostedCommit, path: string): Promise<Answer> {
  const file = readableFile(known, commit, path);
  if ('status' in file) return file;
  const { repo, request, context } = known;
  const place = `${repo.id}/${commit.id}/${encodePath(path)}`;
  if (file.lfs !== undefined) {
    // By the name that the client called this Hub, so that it also works from another machine.
    const host = request.host.replace(/:\d+$/, '');
    const location = `http://${host}:${String(context.cdnPort)}${context.signer.sign(`/${place}`)}`;
    return redirectAnswer(302, location, {
      'X-Repo-Commit': commit.id,
      'X-Linked-Etag': `"${file.lfs.oid}"`,
      'X-Linked-Size': String(file.lfs.size),
      ETag: `"${file.oid}"`,
      'Accept-Ranges': 'bytes',
    });
  }
  const headers = fileHeaders(file, commit);
  if (context.options.smallFiles === 'direct') return contentAnswer(file.content, request.range, headers);
  const etag = encodeURIComponent(`"${file.oid}"`);
  return redirectAnswer(307, `/api/resolve-cache/${isDataset(repo.id) ? '' : 'models/'}${place}?etag=${etag}`, headers);
}

/** `GET` and `HEAD /api/resolve-cache/{models|datasets}/{id}/{commit}/{path}`: where small files are redirected to. */
export async function resolveCached(known: RepoRequest, commit: HostedCommit, path: string): Promise<Answer> {
  const file = readableFile(known, commit, path);
  if ('status' in file) return file;
  return contentAnswer(file.content, known.request.range, fileHeaders(file, commit));
}

/** `GET /{id}/raw/{rev}/{path}`: what git holds, which for LFS files is the pointer. */
export async function rawFile(known: RepoRequest, commit: HostedCommit, path: string): Promise<Answer> {
  const file = readableFile(known, commit, path);
  if ('status' in file) return file;
  const content = file.lfs === undefined ? file.content : bytesContent(lfsPointer(file.lfs.oid, file.lfs.size));
  return contentAnswer(content, known.request.range, fileHeaders(file, commit));
}

/** Answers the CDN's origin: the signature is the only key, and Authorization is not looked at. */
export function cdnAnswers(catalogue: HubCatalogue, signer: UrlSigner): (request: OriginRequest) => Promise<Answer> {
  return async ({ rawPath, query, segments, range, method }) => {
    if (method !== 'GET' && method !== 'HEAD') return textAnswer(405, 'Method not allowed');
    const verdict = signer.verdict(rawPath, query);
    if (verdict !== 'good') {
      const reason = verdict === 'expired' ? 'Request has expired' : 'The signature does not match';
      return textAnswer(403, `<Error><Code>AccessDenied</Code><Message>${reason}</Message></Error>`, {
        'Content-Type': 'application/xml',
      });
    }
    const file = findCdnFile(catalogue, segments);
    if (file?.lfs === undefined) return textAnswer(404, 'Not found');
    // The JavaScript client takes the digest from here and not from the redirect.
    return contentAnswer(file.content, range, { ETag: `"${file.lfs.oid}"` });
  };
}

function readableFile({ repo, caller }: RepoRequest, commit: HostedCommit, path: string): HostedFile | Answer {
  const refused = refusedFiles(repo, caller);
  if (refused !== undefined) return refused;
  return (
    commit.files.get(path) ??
    errorAnswer({
      status: 404,
      code: 'EntryNotFound',
      message: 'Entry not found',
      // Clients remember by it that this commit has no such file.
      headers: { 'X-Repo-Commit': commit.id },
    })
  );
}

function fileHeaders(file: HostedFile, commit: HostedCommit) {
  return { 'X-Repo-Commit': commit.id, ETag: `"${file.oid}"` };
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
