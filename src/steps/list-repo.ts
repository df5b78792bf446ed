import type { PrefetchSpec } from '../core/contract.js';
import { completeFiles } from '../hub/complete-files.js';
import type { Hub, HubFile, HubOptions, ListedFile } from '../hub/hub.js';
import { selectFiles } from '../hub/select-files.js';

type Asked = Pick<PrefetchSpec, 'repo' | 'commit' | 'selection'>;

/** What the Hub lists of a commit, as far as it matters to a request. */
export interface ListedRepo {
  readonly selected: readonly HubFile[];
  /** These, and what a manifest names beside them. */
  readonly known: readonly HubFile[];
}

/** The files of the commit that the selection takes, with the digests that their bytes must come to. */
export async function listRepo(hub: Hub, spec: Asked, options: HubOptions): Promise<readonly HubFile[]> {
  return (await listWithNamed(hub, spec, { ...options, named: new Set() })).selected;
}

/** All files of the commit, unchecked; a mirror may say nothing but their names. */
export async function listAll(hub: Hub, { repo, commit }: Asked, options: HubOptions): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  for await (const file of hub.listFiles(repo, commit, options)) files.push(file);
  return files;
}

/** What the selection takes, and the files that are named, where the commit has them. */
export async function listWithNamed(
  hub: Hub,
  spec: Asked,
  { named, ...options }: HubOptions & { readonly named: ReadonlySet<string> }
): Promise<ListedRepo> {
  const all = await listAll(hub, spec, options);
  const taken = new Set(selectFiles(all, spec.selection).map(({ path }) => path));
  const files = all.filter(({ path }) => taken.has(path) || named.has(path));
  const known = await completeFiles(hub, spec, { ...options, files });
  return { known, selected: known.filter(({ path }) => taken.has(path)) };
}
