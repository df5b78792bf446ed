/**
 * Shards a checkpoint of a store into the same store, or copies it with the engine, as a user's process would: with the
 * package's own settings. Prints what that took as JSON. Run with `--expose-gc`; its one argument is an `OursRequest`.
 */
import { readFileSync } from 'node:fs';
import { shardInProcess } from '../../src/steps/shards/shard-in-process.js';
import { asStoredFile, type ShardingJob } from '../../src/steps/shards/sharding-job.js';
import { readSettings } from '../../src/config/environment.js';
import { shardConfigSchema } from '../../src/core/schemas/input.js';
import { MiB } from '../../src/core/units.js';
import type { ObjectStore } from '../../src/storage/object-store.js';
import { openObject } from '../../src/transfer/read/object-source.js';
import { readPolicy } from '../../src/transfer/budget/policies.js';
import { createDependencies } from '../../src/worker/dependencies.js';
import type { BenchFile } from './checkpoint.js';
import { settle, type Rest } from './settle.js';

export interface OursRequest {
  /** Zero for a plain copy. */
  readonly ranks: number;
  readonly root: string;
  readonly source: Checkpoint;
  /** A small checkpoint that goes the same way first, so that what is measured as idle has all its code and threads. */
  readonly warmUp: Checkpoint;
  /** Key prefix of what is written. */
  readonly target: string;
  readonly rest: Rest;
}

export interface Checkpoint {
  /** Key prefix, ending in "/". */
  readonly dirKey: string;
  readonly files: readonly BenchFile[];
}

/** What it took until a moment, from the start on. */
export interface Moment {
  readonly ms: number;
  readonly cpuMs: number;
  /** All that was read, from files and sockets; where the system does not count that, undefined. */
  readonly readBytes?: number;
}

export interface OursMeasured {
  /** Until the parts of all ranks are complete, before anything is read back; not of a copy. */
  readonly written?: Moment;
  readonly checked?: Moment;
  readonly done: Moment;
  readonly idleRssMiB: number;
  readonly maxRssMiB: number;
  readonly enginePeakMiB: number;
}

const request = JSON.parse(process.argv[2] ?? '') as OursRequest;
const { signal } = new AbortController();
await move({ ...request, source: request.warmUp, target: `${request.target}warm-up/` });
await settle(request.rest, { signal });
globalThis.gc?.();
const idleRssMiB = process.memoryUsage.rss() / MiB;
const measured = await move({ ...request, target: `${request.target}main/` });
const maxRssMiB = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ ...measured, idleRssMiB, maxRssMiB } satisfies OursMeasured));
process.exit();

async function move(of: OursRequest): Promise<Omit<OursMeasured, 'idleRssMiB' | 'maxRssMiB'>> {
  const tool = { name: 'temporal-model-prefetch', version: 'bench' };
  const dependencies = createDependencies(readSettings(), { embedded: true, tool });
  const start = moment();
  const puts = new Map<string, Moment>();
  const store = noting(await dependencies.openStore(of.root), (key) => puts.set(key, since(start)));
  if (of.ranks === 0) await copy({ ...dependencies, store }, of);
  else {
    const job = await jobOf(of, store);
    await shardInProcess({ ...dependencies, openStore: () => Promise.resolve(store) }, job, {
      signal,
      onMoment: () => undefined,
    });
  }
  const done = since(start);
  const enginePeakMiB = dependencies.engine.memory.peakBytes / MiB;
  await dependencies.close();
  // Of every part and every file a record is left when it is done.
  const last = (record: RegExp) => [...puts].filter(([key]) => record.test(key)).at(-1)?.[1];
  const [written, checked] = [last(/\/part-\d+\.json$/), last(/\/check-\d+\.json$/)];
  return { ...(written && { written }), ...(checked && { checked }), done, enginePeakMiB };
}

function noting(store: ObjectStore, note: (key: string) => void): ObjectStore {
  return {
    ...store,
    put: async (key, body, options) => {
      const info = await store.put(key, body, options);
      note(key);
      return info;
    },
  };
}

/** The job of a run that brought the model before: of every file the digest is known. */
async function jobOf({ ranks, source, target }: OursRequest, store: ObjectStore): Promise<ShardingJob> {
  const heads = await Promise.all(source.files.map(({ path }) => store.head(`${source.dirKey}${path}`)));
  const files = source.files.map((file, index) => asStoredFile({ ...file, etag: heads[index]?.etag ?? '' }));
  return {
    model: {
      repo: 'bench/model',
      revision: 'main',
      artifactName: 'model',
      selection: { kind: 'all', include: [], exclude: [] },
      commit: '0'.repeat(40),
    },
    source: { store, dirKey: source.dirKey, files },
    target: { store, dirKey: () => target, named: false },
    request: shardConfigSchema.parse({ engine: 'native', args: { tensorParallelSize: ranks } }),
  };
}

async function copy(
  { engine, store }: Pick<ReturnType<typeof createDependencies>, 'engine'> & { readonly store: ObjectStore },
  { source, target }: OursRequest
): Promise<void> {
  await Promise.all(
    source.files.map(async ({ path, size, sha256 }) => {
      const key = `${source.dirKey}${path}`;
      const original = openObject(store, { key, size }, readPolicy(engine.policies));
      const from = { ...original, path, digest: { algorithm: 'sha256', hex: sha256 } as const };
      await engine.transferFile({ source: from, store, key: `${target}${path}`, trust: 'replace' }, { signal });
      await original.close();
    })
  );
}

function moment(): Moment {
  const { user, system } = process.cpuUsage();
  const readBytes = countReadBytes();
  return { ms: performance.now(), cpuMs: (user + system) / 1000, ...(readBytes === undefined ? {} : { readBytes }) };
}

function since(start: Moment): Moment {
  const now = moment();
  return {
    ms: now.ms - start.ms,
    cpuMs: now.cpuMs - start.cpuMs,
    ...(now.readBytes === undefined ? {} : { readBytes: now.readBytes - (start.readBytes ?? 0) }),
  };
}

/** What Linux counts of this process: `read` of files and of sockets. */
function countReadBytes(): number | undefined {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
