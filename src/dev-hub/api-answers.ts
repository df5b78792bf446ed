import { refusedFiles } from './access.js';
import { errorAnswer, jsonAnswer, type Answer } from './answer.js';
import { isDataset, type HostedCommit } from './hosted-repo.js';
import type { RepoRequest } from './hub-answers.js';
import { entriesBelow, type TreeEntry } from './tree-entries.js';

/** `GET /api/models/{id}[/revision/{rev}]`. */
export function repoInfo({ repo, request }: RepoRequest, commit: HostedCommit): Answer {
  const { query } = request;
  const id = repo.id.replace(/^datasets\//, '');
  const info: Record<string, unknown> = {
    _id: commit.id.slice(0, 24),
    id,
    ...(isDataset(repo.id) ? {} : { modelId: id }),
    author: id.split('/')[0],
    sha: commit.id,
    lastModified: commit.date,
    createdAt: commit.date,
    private: repo.access.private ?? false,
    gated: repo.access.gated === true ? 'manual' : (repo.access.gated ?? false),
    disabled: repo.access.disabled ?? false,
    downloads: 0,
    likes: 0,
    tags: [],
    siblings: siblings(commit, isTrue(query.get('blobs'))),
    usedStorage: commit.entries.reduce((sum, { size }) => sum + size, 0),
  };
  const wanted = [...query.getAll('expand'), ...query.getAll('expand[]')];
  if (wanted.length === 0) return jsonAnswer(info);
  return jsonAnswer(Object.fromEntries(Object.entries(info).filter(([key]) => ['_id', 'id', ...wanted].includes(key))));
}

function siblings({ entries }: HostedCommit, withBlobs: boolean) {
  return entries
    .filter(({ type }) => type === 'file')
    .map(({ path, size, oid, lfs }) => ({
      rfilename: path,
      ...(withBlobs ? { size, blobId: oid } : {}),
      // Here, and only here, the key of the digest is `sha256`.
      ...(withBlobs && lfs ? { lfs: { sha256: lfs.oid, size: lfs.size, pointerSize: lfs.pointerSize } } : {}),
    }));
}

/** `GET /api/models/{id}/tree/{rev}[/{path}]`, in pages. */
export function fileListing({ request, context }: RepoRequest, commit: HostedCommit, path: string): Answer {
  const { query, host, rawPath } = request;
  const directory = path.replace(/\/+$/, '');
  const entries = entriesBelow(commit.entries, directory, isTrue(query.get('recursive')));
  if (entries === undefined) {
    const message = `${directory} does not exist on "${commit.id}"`;
    return errorAnswer({ status: 404, code: 'EntryNotFound', message, headers: { 'X-Repo-Commit': commit.id } });
  }
  const first = readCursor(query.get('cursor'));
  const most = context.options.pageSize ?? 1000;
  const end = first + Math.max(1, Math.min(most, Number(query.get('limit') ?? most) || most));
  const page = entries.slice(first, end).map((entry) => withExpansion(entry, commit, isTrue(query.get('expand'))));
  if (end >= entries.length) return jsonAnswer(page);
  const next = new URLSearchParams(query);
  next.set('cursor', Buffer.from(String(end)).toString('base64url'));
  // Clients follow absolute URLs only, and know this Hub by the name that they called it.
  return jsonAnswer(page, { Link: `<http://${host}${rawPath}?${next.toString()}>; rel="next"` });
}

function readCursor(cursor: string | null): number {
  const position = Number(Buffer.from(cursor ?? '', 'base64url').toString());
  return Number.isSafeInteger(position) && position >= 0 ? position : 0;
}

function withExpansion(entry: TreeEntry, commit: HostedCommit, expand: boolean) {
  if (!expand) return entry;
  return { ...entry, lastCommit: { id: commit.id, title: 'Add files', date: commit.date } };
}

/** `POST /api/models/{id}/paths-info/{rev}`: a form from Python, JSON from JavaScript. */
export async function pathsInfo({ request }: RepoRequest, commit: HostedCommit): Promise<Answer> {
  const asked = readPathsInfo(request.contentType, await request.readBody());
  if (asked === undefined) return errorAnswer({ status: 400, message: 'Expected "paths" as a form or as JSON' });
  const wanted = new Set(asked.paths.map((path) => path.replace(/\/+$/, '')));
  return jsonAnswer(
    commit.entries.filter(({ path }) => wanted.has(path)).map((entry) => withExpansion(entry, commit, asked.expand))
  );
}

function readPathsInfo(contentType: string, body: string): { paths: readonly string[]; expand: boolean } | undefined {
  if (!contentType.includes('json')) {
    const form = new URLSearchParams(body);
    return { paths: form.getAll('paths'), expand: isTrue(form.get('expand')) };
  }
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || !('paths' in value)) return undefined;
    const paths: readonly unknown[] = Array.isArray(value.paths) ? value.paths : [value.paths];
    return {
      paths: paths.filter((path) => typeof path === 'string'),
      expand: 'expand' in value && value.expand === true,
    };
  } catch {
    return undefined;
  }
}

/** `GET /api/models/{id}/refs`. */
export function refsOf({ repo }: RepoRequest): Answer {
  const refs = (names: ReadonlyMap<string, HostedCommit>, folder: string) =>
    [...names]
      .filter(([name]) => !name.startsWith('refs/'))
      .map(([name, commit]) => ({ name, ref: `refs/${folder}/${name}`, targetCommit: commit.id }));
  return jsonAnswer({ branches: refs(repo.branches, 'heads'), tags: refs(repo.tags, 'tags'), converts: [] });
}

/** `GET /api/models/{id}/auth-check`: may this caller read files? */
export function accessCheck({ repo, caller }: RepoRequest): Answer {
  return refusedFiles(repo, caller) ?? jsonAnswer({});
}

/** Python's older versions write `True`. */
function isTrue(value: string | null): boolean {
  return value?.toLowerCase() === 'true' || value === '1';
}
