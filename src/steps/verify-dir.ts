import type { ByteSource } from '../core/byte-source.js';
import { digestKey } from '../core/digest.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { requireAt } from '../core/require-at.js';
import type { Manifest } from '../core/schemas/manifest.js';
import type { DirObjects } from '../dir/dir-objects.js';
import { openDir } from '../dir/open-dir.js';
import { asNotIntact, digestOf } from '../dir/published-dir.js';
import { headerByteLength, parseHeader } from '../safetensors/index.js';
import { namesThatLoad, partOf, shardFileName } from '../shard/file-names.js';
import { describeRange, isInRange } from '../shard/layout/vllm-version.js';
import type { ObjectStore } from '../storage/object-store.js';
import { forEachAtOnce } from '../tasks/for-each-at-once.js';
import { openObjects } from '../transfer/read/open-objects.js';
import { hashObject } from '../transfer/read/verify-object.js';
import type { ActivityDependencies } from './dependencies.js';

/** What is compared, besides the manifest. */
export interface Verification {
  /** The store whose root is the Dir. */
  readonly store: ObjectStore;
  /** Every byte is read. */
  readonly deep: boolean;
  /** What vLLM is to be started with. */
  readonly tensorParallelSize?: number;
  readonly dtype?: string;
  readonly vllmVersion?: string;
}

/** What was found. */
export interface VerifiedDir {
  readonly dir: string;
  readonly repo: string;
  readonly commit: string;
  readonly format: Manifest['format'];
  readonly files: number;
  readonly bytes: number;
  readonly compared: 'sizes' | 'bytes';
  readonly sharding?: Pick<
    NonNullable<Manifest['sharding']>,
    'engine' | 'tensorParallelSize' | 'dtype' | 'vllmVersion' | 'vllmVersions'
  >;
  /** One line each; none when the Dir is as it was published. */
  readonly problems: readonly string[];
}

/** How a check is ended and watched; `onFile` counts from the start. */
export interface VerifyDirOptions {
  readonly signal: AbortSignal;
  readonly onFile: (progress: { readonly files: number; readonly bytes: number }) => void;
}

const FILES_AT_ONCE = 4;

/** Compares a Dir with its manifest; `DirNotIntact` where there is none to compare with. */
export async function verifyDir(
  { engine: { context } }: Pick<ActivityDependencies, 'engine'>,
  verification: Verification,
  options: VerifyDirOptions
): Promise<VerifiedDir> {
  const { store, deep } = verification;
  const { published, objects } = await openDir(store, '').compare(options).catch(asNotIntact);
  if (published === undefined) {
    throw new PrefetchError(
      'DirNotIntact',
      `${store.root} has no manifest that can be read: it is no Dir, or was never published`
    );
  }
  const { manifest } = published;
  const opened = openObjects(
    context,
    store,
    manifest.files.map(({ path, size }) => ({ key: path, size }))
  );
  try {
    const inFiles = await checkFiles({ ...verification, manifest, objects, sources: opened.sources }, options);
    const { sharding } = manifest;
    const ofShards = sharding === undefined ? [] : checkShardNames({ ...verification, manifest, objects, sharding });
    return {
      dir: store.root,
      repo: manifest.repo,
      commit: manifest.commit,
      format: manifest.format,
      files: manifest.files.length,
      bytes: manifest.totalBytes,
      compared: deep ? 'bytes' : 'sizes',
      ...(sharding === undefined ? {} : { sharding: pickSharding(sharding) }),
      problems: [...ofShards, ...inFiles],
    };
  } finally {
    await opened.close();
  }
}

function pickSharding({
  engine,
  tensorParallelSize,
  dtype,
  vllmVersion,
  vllmVersions,
}: NonNullable<Manifest['sharding']>) {
  return { engine, tensorParallelSize, dtype, vllmVersion, vllmVersions };
}

interface DirCheck extends Verification {
  readonly manifest: Manifest;
  readonly objects: DirObjects;
}

async function checkFiles(
  check: DirCheck & { readonly sources: readonly ByteSource[] },
  { signal, onFile }: VerifyDirOptions
): Promise<string[]> {
  const problems = new Map<number, string>();
  const done = { files: 0, bytes: 0 };
  const files = check.manifest.files.entries();
  await forEachAtOnce(files, { limit: FILES_AT_ONCE, signal }, async ([number, file], inner) => {
    const problem = await checkFile(check, { number, file, ...inner });
    if (problem !== undefined) problems.set(number, `${file.path}: ${problem}`);
    done.files += 1;
    done.bytes += file.size;
    onFile(done);
  });
  return [...problems].sort(([a], [b]) => a - b).map(([, problem]) => problem);
}

async function checkFile(
  { store, deep, objects, sources, manifest }: DirCheck & { readonly sources: readonly ByteSource[] },
  {
    number,
    file,
    signal,
  }: { readonly number: number; readonly file: Manifest['files'][number]; readonly signal: AbortSignal }
): Promise<string | undefined> {
  const { path, size } = file;
  const object = objects.get(path);
  if (object === undefined) return 'is missing';
  if (object.size !== size) {
    const how = object.size < size ? 'truncated: ' : '';
    return `${how}has ${object.size} bytes, expected ${size}`;
  }
  if (deep) {
    const digest = digestOf(file);
    const hex = await hashObject(store, { key: path, size, algorithm: digest.algorithm }, { signal });
    if (hex !== digest.hex) return `its bytes come to ${digestKey({ ...digest, hex })}, expected ${digestKey(digest)}`;
  }
  return manifest.sharding !== undefined && path.endsWith('.safetensors')
    ? checkHeader(requireAt(sources, number), { size, signal })
    : undefined;
}

/** A file of the right size may still be no shard: its header must be one, and cover the file to its last byte. */
async function checkHeader(
  source: ByteSource,
  { size, signal }: { readonly size: number; readonly signal: AbortSignal }
): Promise<string | undefined> {
  try {
    const prefix = new Uint8Array(Math.min(8, size));
    await source.read({ start: 0, end: prefix.length }, prefix, { signal });
    const length = headerByteLength(prefix, size);
    const header = new Uint8Array(length);
    await source.read({ start: 0, end: length }, header, { signal });
    parseHeader(header, size);
    return undefined;
  } catch (error) {
    if (!isPrefetchError(error, 'InvalidSafetensors')) throw error;
    return error.text;
  }
}

type ShardCheck = DirCheck & { readonly sharding: NonNullable<Manifest['sharding']> };

/** What vLLM would load without a word, or fail on much later. */
function checkShardNames(check: ShardCheck): string[] {
  const { sharding, tensorParallelSize, dtype, vllmVersion } = check;
  const problems = [...missingRanks(check), ...strayShards(check)];
  if (tensorParallelSize !== undefined && tensorParallelSize !== sharding.tensorParallelSize) {
    problems.push(
      `made for tensorParallelSize ${sharding.tensorParallelSize}, and vLLM is to be started with ${tensorParallelSize}: ` +
        'it may load that without an error and answer nonsense'
    );
  }
  if (dtype !== undefined && dtype !== 'auto' && dtype !== sharding.dtype) {
    problems.push(
      `the weights are ${sharding.dtype}, and vLLM is to be started with ${dtype}: it would cast them silently`
    );
  }
  const ranges = sharding.vllmVersions;
  if (vllmVersion !== undefined && !ranges.some((range) => isInRange(vllmVersion, range))) {
    problems.push(
      `made for vLLM ${ranges.map(describeRange).join(', ')}; ${vllmVersion} may call its tensors otherwise`
    );
  }
  return problems;
}

/** Every rank has as many parts as the others, from part 0 on. */
function missingRanks({ manifest, objects, sharding }: ShardCheck): string[] {
  const parts = Math.max(0, ...manifest.files.map(({ path }) => partOf(sharding.filePattern, path) + 1));
  return Array.from({ length: sharding.tensorParallelSize }, (_, rank) => {
    const names = Array.from({ length: parts }, (_part, part) => shardFileName(sharding, rank, part));
    const missing = names.filter((name) => !objects.has(name));
    return missing.length > 0 && missing.length === names.length
      ? [`rank ${rank} of ${sharding.tensorParallelSize} is missing: none of its ${parts} files is there`]
      : [];
  }).flat();
}

/** vLLM loads whatever fits its pattern, listed or not. */
function strayShards({ store, manifest, objects, sharding }: ShardCheck): string[] {
  const listed = new Set(manifest.files.map(({ path }) => path));
  const isLoaded = namesThatLoad(sharding.filePattern, store.root);
  return [...objects.keys()]
    .filter((path) => !listed.has(path) && isLoaded.test(path))
    .map((path) => `${path}: is no file of this Dir, and vLLM would load it too`);
}
