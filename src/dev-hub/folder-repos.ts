import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { PrefetchError } from '../core/errors.js';
import type { DevAccess, DevCommit, DevRepo } from './options.js';

/** Settings of a repo, at its root: `{"gated": true, "private": true, "disabled": true}`, each optional. */
const SETTINGS_FILE = '.dev-hub.json';

/**
 * Reads a folder of repos.
 * - `DIR/<owner>/<name>/...` is the repo `<owner>/<name>` at its branch `main`.
 * - `DIR/datasets/<owner>/<name>/...` is the data set `<owner>/<name>`, whose id is `datasets/<owner>/<name>` here.
 * - `DIR/<owner>/<name>@<revision>/...` is another branch of it (`refs%2Fpr%2F1` for names with a slash).
 * - `DIR/<owner>/<name>/.dev-hub.json` may say `{"gated": true, "private": true, "disabled": true}`; it is not served.
 * - Folders whose name starts with a dot (`.git`, `.cache`) are left out, and so is what is neither file nor folder.
 * - A symlink that leads out of DIR is refused, so that nothing outside is served by mistake.
 */
export async function folderRepos(folder: string, signal?: AbortSignal): Promise<readonly DevRepo[]> {
  const root = await realFolder(folder);
  const found = new Map<string, FoundRepo>();
  for (const owner of await ownersIn(root)) {
    for (const name of await subfolders(join(root, owner))) {
      signal?.throwIfAborted();
      const [plain = name, revision = 'main'] = splitOnce(name);
      const id = `${owner}/${plain}`;
      const repo = found.get(id) ?? { access: {}, branches: {} };
      const place = join(root, owner, name);
      found.set(id, {
        access: revision === 'main' ? await readSettings(place) : repo.access,
        branches: { ...repo.branches, [decodeName(revision, place)]: await readCommit(place, root) },
      });
    }
  }
  if (found.size === 0) {
    throw new PrefetchError('InvalidInput', `No repo found in ${folder}: expected folders ${folder}/<owner>/<name>/`);
  }
  return [...found].map(([id, { access, branches }]) => ({
    id,
    ...access,
    commits: Object.values(branches),
    branches: Object.fromEntries(Object.keys(branches).map((name, position) => [name, position])),
  }));
}

interface FoundRepo {
  readonly access: DevAccess;
  readonly branches: Readonly<Record<string, DevCommit>>;
}

async function realFolder(folder: string): Promise<string> {
  const info = await stat(folder).catch(() => undefined);
  if (info?.isDirectory() !== true)
    throw new PrefetchError('InvalidInput', `${folder} is no folder to serve repos from`);
  return realpath(folder);
}

/** No owner on the Hub is called so: that folder holds owners of data sets. */
const DATASETS = 'datasets';

async function ownersIn(root: string): Promise<readonly string[]> {
  const owners = await subfolders(root);
  if (!owners.includes(DATASETS)) return owners;
  const ofDatasets = await subfolders(join(root, DATASETS));
  return [...owners.filter((owner) => owner !== DATASETS), ...ofDatasets.map((owner) => `${DATASETS}/${owner}`)];
}

async function subfolders(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
  const kinds = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)));
  return names.filter((_, position) => kinds[position]?.isDirectory() === true);
}

function splitOnce(name: string): readonly string[] {
  const at = name.indexOf('@');
  return at === -1 ? [name] : [name.slice(0, at), name.slice(at + 1)];
}

function decodeName(revision: string, place: string): string {
  try {
    return decodeURIComponent(revision);
  } catch {
    throw new PrefetchError('InvalidInput', `${place}: what follows the "@" is no percent-encoded revision`);
  }
}

async function readSettings(place: string): Promise<DevAccess> {
  const file = join(place, SETTINGS_FILE);
  const text = await readFile(file, 'utf8').catch(() => '{}');
  const value = parseJson(text);
  const known = ['gated', 'private', 'disabled'];
  if (
    typeof value !== 'object' ||
    value === null ||
    !Object.entries(value).every(([key, setting]) => known.includes(key) && typeof setting === 'boolean')
  ) {
    throw new PrefetchError('InvalidInput', `${file} may hold only ${known.join(', ')}, each true or false`);
  }
  return { ...value };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readCommit(place: string, root: string): Promise<DevCommit> {
  const files: Record<string, { readonly file: string }> = {};
  for await (const path of walk({ place, root, path: '', above: [] })) {
    if (path !== SETTINGS_FILE) files[path] = { file: join(place, path) };
  }
  return { files };
}

interface Walk {
  readonly place: string;
  readonly root: string;
  readonly path: string;
  /** Real paths of the folders on the way down, to see circles. */
  readonly above: readonly string[];
}

async function* walk({ place, root, path, above }: Walk): AsyncGenerator<string> {
  const folder = await inside(join(place, path), root);
  if (above.includes(folder)) throw new PrefetchError('UnsafePath', `${join(place, path)} is a symlink in a circle`);
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    const kind = entry.isSymbolicLink() ? await stat(await inside(join(place, below), root)) : entry;
    if (kind.isFile()) yield below;
    if (kind.isDirectory() && !entry.name.startsWith('.')) {
      yield* walk({ place, root, path: below, above: [...above, folder] });
    }
  }
}

async function inside(path: string, root: string): Promise<string> {
  const real = await realpath(path).catch(() => undefined);
  if (real === root || real?.startsWith(`${root}${sep}`) === true) return real;
  throw new PrefetchError(
    'UnsafePath',
    `${path} is a symlink that ${real === undefined ? 'leads nowhere' : 'leaves the served folder'}: remove it, or copy what it points at`
  );
}
