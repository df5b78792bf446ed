import { createHash } from 'node:crypto';
import { MiB } from '../core/units.js';
import { bytesContent, type Content } from './content.js';
import { gitBlobId, type DigestBook } from './digest-book.js';
import { diskContent } from './disk-content.js';
import type { DevAccess, DevCommit, DevFile, DevHubOptions, DevRepo } from './options.js';
import { seededContent } from './seeded-content.js';
import { treeEntries, type TreeEntry } from './tree-entries.js';

/** A repo as the servers see it; access and branches can change while it is served. */
export interface HostedRepo {
  readonly id: string;
  access: DevAccess;
  readonly commits: readonly HostedCommit[];
  readonly branches: Map<string, HostedCommit>;
  readonly tags: ReadonlyMap<string, HostedCommit>;
}

/** A commit with a tree that was worked out when the Hub started. */
export interface HostedCommit {
  readonly id: string;
  readonly date: string;
  readonly files: ReadonlyMap<string, HostedFile>;
  /** Files and the directories they imply, in order of path. */
  readonly entries: readonly TreeEntry[];
}

/** A file with the ids that the Hub tells of it. */
export interface HostedFile {
  readonly path: string;
  readonly content: Content;
  /** Git's id of what the repo holds: the bytes, or the pointer to them. */
  readonly oid: string;
  readonly lfs?: { readonly oid: string; readonly size: number; readonly pointerSize: number };
}

/** What making a repo servable needs, digests above all. */
export interface HostingContext {
  readonly book: DigestBook;
  readonly options: Pick<DevHubOptions, 'lfsThresholdBytes' | 'onHashed' | 'signal'>;
}

/** Whether a repo is a data set: these are known by their kind as well, `datasets/owner/name`. */
export function isDataset(id: string): boolean {
  return id.startsWith('datasets/');
}

/** Takes the digests of all files of a repo and gives its commits their ids. */
export async function hostRepo(repo: DevRepo, context: HostingContext): Promise<HostedRepo> {
  const commits: HostedCommit[] = [];
  for (const commit of repo.commits) commits.push(await hostCommit(repo.id, { commit, earlier: commits }, context));
  const newest = commits.at(-1);
  return {
    id: repo.id,
    access: { gated: repo.gated ?? false, private: repo.private ?? false, disabled: repo.disabled ?? false },
    commits,
    branches: new Map([
      ...(newest === undefined || repo.branches !== undefined ? [] : [['main', newest] as const]),
      ...commitsByName(repo, commits, repo.branches),
    ]),
    tags: new Map(commitsByName(repo, commits, repo.tags)),
  };
}

/** The commit at a position; a position that the repo does not have is a mistake of the caller. */
export function commitAt(id: string, commits: readonly HostedCommit[], position: number): HostedCommit {
  const commit = commits[position];
  if (commit === undefined) {
    throw new RangeError(`${id} has ${String(commits.length)} commits, none at position ${String(position)}`);
  }
  return commit;
}

function commitsByName(repo: DevRepo, commits: readonly HostedCommit[], names: Readonly<Record<string, number>> = {}) {
  return Object.entries(names).map(([name, position]) => [name, commitAt(repo.id, commits, position)] as const);
}

async function hostCommit(
  repo: string,
  { commit, earlier }: { commit: DevCommit; earlier: readonly HostedCommit[] },
  context: HostingContext
): Promise<HostedCommit> {
  const files = new Map<string, HostedFile>();
  for (const [path, file] of Object.entries(commit.files)) {
    context.options.signal?.throwIfAborted();
    files.set(path, await hostFile({ repo, path, file }, context));
  }
  const listing = [...files.values()].map(({ path, oid, content }) => [path, content.size, oid]).sort();
  // The same files in a later commit are another commit: the number of times keeps their ids apart.
  for (let repeat = 0; ; repeat += 1) {
    const id = createHash('sha1')
      .update(JSON.stringify([listing, repeat]))
      .digest('hex');
    if (earlier.some((other) => other.id === id)) continue;
    const date = new Date(Date.UTC(2026, 0, 1 + earlier.length)).toISOString();
    return { id, date, files, entries: treeEntries(files.values()) };
  }
}

async function hostFile(
  { repo, path, file }: { repo: string; path: string; file: DevFile },
  { book, options }: HostingContext
): Promise<HostedFile> {
  const content = await contentOf(file);
  const isLfs = content.size >= (options.lfsThresholdBytes ?? MiB) || (isWeights(path) && content.size > 0);
  const algorithm = isLfs ? 'sha256' : 'gitSha1';
  const digest =
    isLfs && file.sha256 !== undefined ? { hex: file.sha256, fresh: false } : await book.digestOf(content, algorithm);
  if (digest.fresh) options.onHashed?.({ repo, path, size: content.size });
  if (!isLfs) return { path, content, oid: digest.hex };
  const pointer = lfsPointer(digest.hex, content.size);
  return {
    path,
    content,
    oid: gitBlobId(pointer),
    lfs: { oid: digest.hex, size: content.size, pointerSize: pointer.length },
  };
}

/** What git holds in place of an LFS file. */
export function lfsPointer(sha256: string, size: number): Buffer {
  return Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${String(size)}\n`);
}

/** The Hub's default `.gitattributes` puts weights into LFS however small they are; an empty file never is. */
function isWeights(path: string): boolean {
  return /\.(?:safetensors|bin|gguf|pt|pth|onnx|h5|msgpack)$/.test(path);
}

async function contentOf(file: DevFile): Promise<Content> {
  if ('bytes' in file) return bytesContent(file.bytes);
  return 'file' in file ? diskContent(file.file) : seededContent(file);
}
