import { readDir } from '../reader/read-dir.js';
import type { WatchedDir } from '../reader/messages.js';
import { digestOf } from '../world/hub-bench.js';
import type { StoreAccess } from '../world/store-access.js';
import type { Violation } from './record.js';

/** Looks at the store when nobody writes any more: every Dir that was asked for, and what must not be left. */
export async function checkStore(store: StoreAccess, dirs: readonly WatchedDir[]): Promise<Violation[]> {
  const keys = await store.list();
  const found: Violation[] = [];
  for (const dir of dirs) found.push(...(await checkDir(store, dir, keys)));
  const objects = dirs.flatMap(({ key, files }) => files.map(({ path }) => `${key}${path}`));
  for (const upload of await store.uploads(objects)) {
    found.push({ kind: 'left-upload', detail: `an unfinished upload is left: ${upload}` });
  }
  return found;
}

async function checkDir(store: StoreAccess, dir: WatchedDir, keys: readonly string[]): Promise<Violation[]> {
  const reading = await readDir(store, dir);
  if (reading === undefined) return [{ kind: 'not-published', detail: `${dir.key} has no manifest` }];
  const found: Violation[] = reading.findings.map(({ kind, key, offset, detail }) => ({
    kind,
    detail: `at the end, ${key}${offset === undefined ? '' : ` from byte ${String(offset)}`}: ${detail}`,
  }));
  const wanted = wantedFiles(dir);
  const listed = new Map(listedFiles(reading.manifest).map(({ path, ...facts }) => [path, facts]));
  for (const { path, size, sha256, gitSha1 } of wanted) {
    const facts = listed.get(path);
    const same = facts?.size === size && (facts.sha256 === sha256 || facts.gitSha1 === gitSha1);
    if (!same) found.push({ kind: 'wrong-manifest', detail: `${dir.key}: ${path} is not what the Hub has` });
  }
  if (listed.size !== wanted.length) {
    found.push({ kind: 'wrong-manifest', detail: `${dir.key} lists ${String(listed.size)} files` });
  }
  const mine = keys.filter((key) => key.startsWith(dir.key)).map((key) => key.slice(dir.key.length));
  for (const path of mine.filter((key) => key.startsWith('.prefetch/') && key !== '.prefetch/manifest.json')) {
    found.push({ kind: 'left-plan', detail: `${dir.key}${path}` });
  }
  for (const path of mine.filter((key) => !key.startsWith('.prefetch/') && !listed.has(key))) {
    found.push({ kind: 'foreign-object', detail: `${dir.key}${path}` });
  }
  return found;
}

function wantedFiles({ files }: WatchedDir) {
  return files.map((file) => ({
    ...file,
    sha256: digestOf(file, 'sha256'),
    gitSha1: digestOf(file, 'gitSha1'),
  }));
}

interface ListedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256?: string;
  readonly gitSha1?: string;
}

function listedFiles(manifest: Uint8Array): readonly ListedFile[] {
  try {
    return (JSON.parse(Buffer.from(manifest).toString()) as { files: readonly ListedFile[] }).files;
  } catch {
    return [];
  }
}
