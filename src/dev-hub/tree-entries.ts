import { createHash } from 'node:crypto';
import type { HostedFile } from './hosted-repo.js';

/** One line of a file listing, in the words of the Hub. */
export interface TreeEntry {
  readonly type: 'file' | 'directory';
  readonly oid: string;
  readonly size: number;
  readonly path: string;
  readonly lfs?: HostedFile['lfs'];
}

/** Files and the directories they imply, in order of path. */
export function treeEntries(files: Iterable<HostedFile>): readonly TreeEntry[] {
  const entries = new Map<string, TreeEntry>();
  for (const { path, content, oid, lfs } of files) {
    entries.set(path, { type: 'file', oid, size: content.size, path, ...(lfs === undefined ? {} : { lfs }) });
    for (const directory of parents(path)) {
      if (entries.has(directory)) break;
      entries.set(directory, { type: 'directory', oid: directoryId(directory), size: 0, path: directory });
    }
  }
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The entries below a directory ('' is the root), or `undefined` where there is no such directory. */
export function entriesBelow(
  entries: readonly TreeEntry[],
  directory: string,
  recursive: boolean
): readonly TreeEntry[] | undefined {
  if (directory === '') return recursive ? entries : entries.filter(({ path }) => !path.includes('/'));
  if (!entries.some(({ type, path }) => type === 'directory' && path === directory)) return undefined;
  const prefix = `${directory}/`;
  return entries.filter(
    ({ path }) => path.startsWith(prefix) && (recursive || !path.slice(prefix.length).includes('/'))
  );
}

/** From the nearest to the root's child: where one is known, all above it are. */
function* parents(path: string) {
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    yield path.slice(0, slash);
  }
}

/** No client looks inside a directory's id; it only has to look like one. */
function directoryId(path: string): string {
  return createHash('sha1').update(`tree ${path}`).digest('hex');
}
