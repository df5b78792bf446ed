import { createHash, type Hash } from 'node:crypto';
import { seededContent } from '../../src/dev-hub/seeded-content.js';
import { digestOf, type SeededFile } from '../world/hub-bench.js';
import type { StoreAccess } from '../world/store-access.js';
import type { Finding, WatchedDir } from './messages.js';

/** What one look at a published Dir gave. */
export interface DirReading {
  readonly manifest: Uint8Array;
  /** The same manifest stood before and after all objects. */
  readonly stoodAllTheTime: boolean;
  /** Only what was found while the same manifest stood before and after the object was read. */
  readonly findings: readonly Omit<Finding, 'time'>[];
  readonly objects: number;
  readonly bytes: number;
}

interface ListedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256?: string;
  readonly gitSha1?: string;
}

/** Reads every object that the manifest of a Dir names and compares it with the digest there; undefined without one. */
export async function readDir(
  store: StoreAccess,
  dir: WatchedDir,
  onManifest: () => void = () => undefined
): Promise<DirReading | undefined> {
  const manifestKey = `${dir.key}.prefetch/manifest.json`;
  const manifest = await readAll(store, manifestKey);
  if (manifest === undefined) return undefined;
  onManifest();
  const findings: Omit<Finding, 'time'>[] = [];
  const stillStands = async () => (await readAll(store, manifestKey))?.equals(manifest) === true;
  const listed = filesIn(manifest);
  if (listed === undefined) {
    findings.push({
      kind: 'unreadable-manifest',
      key: manifestKey,
      detail: `${String(manifest.length)} bytes, no JSON`,
    });
  }
  let bytes = 0;
  for (const file of listed ?? []) {
    const finding = await checkObject(store, { dir, file });
    bytes += file.size;
    // Asked at once: a moment later the manifest may be gone, and rightly so.
    if (finding !== undefined && (await stillStands())) findings.push(finding);
  }
  const stoodAllTheTime = await stillStands();
  return { manifest, stoodAllTheTime, findings, objects: listed?.length ?? 0, bytes };
}

async function readAll(store: StoreAccess, key: string): Promise<Buffer | undefined> {
  const body = await store.read(key);
  if (body === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function filesIn(manifest: Buffer): readonly ListedFile[] | undefined {
  try {
    const { files } = JSON.parse(manifest.toString()) as { files?: readonly ListedFile[] };
    return Array.isArray(files) ? files : undefined;
  } catch {
    return undefined;
  }
}

async function checkObject(
  store: StoreAccess,
  { dir, file }: { readonly dir: WatchedDir; readonly file: ListedFile }
): Promise<Omit<Finding, 'time'> | undefined> {
  const key = `${dir.key}${file.path}`;
  const body = await store.read(key);
  if (body === undefined) return { kind: 'missing-object', key, detail: 'the manifest names it, and it is not there' };
  const served = dir.files.find(({ path }) => path === file.path);
  const comparison = compareWith(served);
  const hash = served === undefined ? hashOf(file) : undefined;
  for await (const chunk of body) {
    hash?.update(chunk);
    comparison.add(chunk);
  }
  // Bytes that are those of the Hub have the digest of the Hub's, which costs less to know than to find out each time.
  const hex = hash?.digest('hex') ?? (comparison.wrong() === 0 ? digestOnce(served, file) : undefined);
  if (hex === (file.sha256 ?? file.gitSha1) && comparison.size() === file.size) return undefined;
  const { offset, wrong } = comparison.end();
  return {
    kind: 'wrong-object',
    key,
    ...(offset === undefined ? {} : { offset }),
    detail: `${String(comparison.size())} of ${String(file.size)} bytes, ${String(wrong)} blocks of 64 KiB are wrong`,
  };
}

function hashOf({ sha256, size }: ListedFile): Hash {
  const hash = createHash(sha256 === undefined ? 'sha1' : 'sha256');
  return sha256 === undefined ? hash.update(`blob ${String(size)}\0`) : hash;
}

const digests = new WeakMap<SeededFile, string>();

function digestOnce(served: SeededFile | undefined, { sha256 }: ListedFile): string | undefined {
  if (served === undefined) return undefined;
  const known = digests.get(served) ?? digestOf(served, sha256 === undefined ? 'gitSha1' : 'sha256');
  digests.set(served, known);
  return known;
}

const BLOCK = 64 * 1024;

const contents = new WeakMap<SeededFile, Buffer>();

/** The bytes that the Hub serves; made once, for the reader reads them again and again. */
function contentOf(file: SeededFile): Buffer {
  const known =
    contents.get(file) ?? Buffer.concat([...(seededContent(file).chunks(0, file.size) as Iterable<Buffer>)]);
  contents.set(file, known);
  return known;
}

/** Finds out where bytes differ from those that the Hub served. */
function compareWith(file: SeededFile | undefined) {
  let position = 0;
  let offset: number | undefined;
  let wrong = 0;
  let wrongUntil = 0;
  const compare = (chunk: Uint8Array) => {
    if (file === undefined) return;
    const right = contentOf(file).subarray(position, position + chunk.length);
    if (right.equals(chunk)) return;
    for (let at = 0; at < chunk.length; at++) {
      if (chunk[at] === right[at]) continue;
      offset ??= position + at;
      if (position + at < wrongUntil) continue;
      wrong += 1;
      wrongUntil = position + at - ((position + at) % BLOCK) + BLOCK;
    }
  };
  return {
    add: (chunk: Uint8Array) => {
      compare(chunk);
      position += chunk.length;
    },
    size: () => position,
    wrong: () => wrong,
    end: () => ({ offset, wrong }),
  };
}
