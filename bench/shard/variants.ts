import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { MiB } from '../../src/core/units.js';
import { openStore } from '../../src/storage/index.js';
import type { BenchFile } from './checkpoint.js';
import type { OursMeasured, OursRequest } from './ours-process.js';
import { SOURCE, WARM_UP } from './places.js';
import { copyFolder, copyOverDisk, pipeCurls, type Bucket } from './plain-copies.js';
import { settle, type Rest } from './settle.js';

/** One way to bring the checkpoint from a store into the same store. */
export interface Variant {
  readonly name: string;
  readonly kind: 'plain' | 'engine' | 'shards';
  /** Does it once, cleans up after it, and gives what it took. */
  run(options: { readonly round: number; readonly signal: AbortSignal }): Promise<Measured>;
}

export interface Measured {
  readonly ms: number;
  readonly ours?: OursMeasured;
}

/** The checkpoints that all variants move, and where they lie in every store. */
export interface Checkpoints {
  readonly files: readonly BenchFile[];
  readonly warmUp: readonly BenchFile[];
  /** A scratch folder, and the root of the `file://` store. */
  readonly folder: string;
  readonly rest: Rest;
}

export interface OursOptions {
  readonly ranks: readonly number[];
  /** A folder for CPU profiles of the package's own processes. */
  readonly profile: string | undefined;
}

/** What is done with a folder. */
export function folderVariants(checkpoints: Checkpoints, ours: OursOptions): Variant[] {
  const { files, folder, rest } = checkpoints;
  const root = `${pathToFileURL(folder).href}/`;
  const clean = (target: string) => rm(join(folder, target), { recursive: true, force: true });
  const copy = plain({ name: 'cp + fsync', clean, rest }, (target, options) =>
    copyFolder(files, { from: join(folder, SOURCE), to: join(folder, target) }, options)
  );
  return [copy, ...oursVariants(checkpoints, { ...ours, root, clean })];
}

/** What is done with a bucket. */
export function bucketVariants(
  checkpoints: Checkpoints,
  { bucket, s5cmd, ...ours }: OursOptions & { readonly bucket: Bucket; readonly s5cmd: string | undefined }
): Variant[] {
  const { files, folder, rest } = checkpoints;
  const root = `s3://${bucket.bucket}/`;
  const clean = (target: string) => emptyPrefix(root, target);
  const curl = plain({ name: 'curl | curl', clean, rest }, (target, options) =>
    pipeCurls(files, { bucket, from: SOURCE, to: target }, options)
  );
  const overDisk = (program: string) =>
    plain({ name: 's5cmd', clean, rest }, (target, options) =>
      copyOverDisk(program, { bucket, from: SOURCE, to: target, disk: join(folder, 'disk') }, options)
    );
  const plains = s5cmd === undefined ? [curl] : [curl, overDisk(s5cmd)];
  return [...plains, ...oursVariants(checkpoints, { ...ours, root, clean })];
}

function plain(
  {
    name,
    clean,
    rest,
  }: { readonly name: string; readonly clean: (target: string) => Promise<void>; readonly rest: Rest },
  copy: (target: string, options: { readonly signal: AbortSignal }) => Promise<void>
): Variant {
  return {
    name,
    kind: 'plain',
    run: async ({ round, signal }) => {
      const target = `copy-${String(round)}/`;
      await settle(rest, { signal });
      const began = performance.now();
      await copy(target, { signal });
      const ms = performance.now() - began;
      await clean(target);
      return { ms };
    },
  };
}

function oursVariants(
  { files, warmUp, rest }: Checkpoints,
  {
    ranks,
    root,
    clean,
    ...options
  }: OursOptions & { readonly root: string; readonly clean: (target: string) => Promise<void> }
): Variant[] {
  return [0, ...ranks].map((count) => ({
    name: count === 0 ? "this package's copy" : `shards, tp ${String(count)}`,
    kind: count === 0 ? 'engine' : 'shards',
    run: async ({ round, signal }) => {
      const target = `ours-${String(count)}-${String(round)}/`;
      const source = { dirKey: SOURCE, files };
      const ours = await measure(
        { ranks: count, root, source, warmUp: { dirKey: WARM_UP, files: warmUp }, target, rest },
        { ...options, signal }
      );
      await clean(target);
      return { ms: ours.done.ms, ours };
    },
  }));
}

async function measure(
  request: OursRequest,
  { profile, signal }: Omit<OursOptions, 'ranks'> & { readonly signal: AbortSignal }
): Promise<OursMeasured> {
  const script = fileURLToPath(new URL('ours-process.ts', import.meta.url));
  const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
  const args = ['--import', 'tsx', '--expose-gc', ...profiling, script, JSON.stringify(request)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: MiB, signal });
  return JSON.parse(stdout) as OursMeasured;
}

async function emptyPrefix(root: string, prefix: string): Promise<void> {
  const store = await openStore(root);
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  for (const key of keys) await store.delete(key);
  await store.close();
}
