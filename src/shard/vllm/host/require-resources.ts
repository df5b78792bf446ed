import { stat } from 'node:fs/promises';
import { PrefetchError } from '../../../core/errors.js';
import type { StoredFile } from '../../../core/stored-file.js';
import { tensorByteLength } from '../../../safetensors/index.js';
import { withFileErrors } from '../../../storage/local/file-errors.js';
import type { ObjectStore } from '../../../storage/object-store.js';
import { sweepScratch, type Scratch } from '../../../transfer/disk/scratch.js';
import type { VllmDependencies, VllmShardRequest } from '../job.js';
import { isSafetensors } from '../source-for-vllm.js';
import { countMatching, listGpus, parseGpuSpec, type GpuSpec } from './gpus.js';
import { freeBytes, inspectHost, type Host } from './host.js';
import { formatBytes, parseQuantity } from './quantity.js';

type Where = Pick<VllmDependencies, 'store' | 'gpu' | 'environment' | 'scratchFolder'> & {
  readonly files: readonly StoredFile[];
  readonly scratch: Scratch;
};

const GPUS = 'GPUs';

/** One thing that this host lacks. */
export interface Shortage {
  readonly what: string;
  readonly asked: string;
  readonly there: string;
  /** The flag that asks for it, where one does. */
  readonly flag?: string;
}

/** Fails as `InsufficientResources`, saying what is there and what is asked, before any work is done. */
export async function requireResources(
  request: VllmShardRequest,
  where: Where,
  { signal }: { readonly signal: AbortSignal }
): Promise<void> {
  const { files, scratch, scratchFolder } = where;
  const keptBytes = await scratch.keptBytes();
  const { store = where.store, dirKey } = request.source;
  const [first] = files;
  const linked =
    first !== undefined && (await canLink(store, `${dirKey}${first.path}`, { folder: scratch.folder, signal }));
  const sourceBytes = linked ? 0 : sumOf(files);
  const needs = {
    request,
    keptBytes,
    neededBytes: Math.max(0, sourceBytes - keptBytes) + outputBytes(request, files),
    gpus: await gpusOf(where, signal),
  };
  const look = () => withFileErrors({ action: 'look at', path: scratchFolder }, () => inspectHost(scratchFolder));
  const host = await look();
  if (shortages(needs, host).some(({ what }) => what.startsWith('disk'))) {
    // What killed processes left may be of use to them yet, but not more than its room is to this one.
    await sweepScratch(scratchFolder, { olderThanMs: 0, signal });
  }
  const found = shortages(needs, { ...host, freeDiskBytes: await freeBytes(scratchFolder) });
  if (found.length > 0) throw insufficient(found, scratchFolder);
}

/** What the job wants, in numbers. */
export interface Needs {
  readonly request: Pick<VllmShardRequest, 'args' | 'resources'>;
  /** Bytes of this job that lie on the disk already. */
  readonly keptBytes: number;
  /** Bytes that it will write. */
  readonly neededBytes: number;
  readonly gpus: { readonly names: readonly string[] | undefined; readonly declared: GpuSpec | undefined };
}

/** Everything that a host lacks. */
export function shortages({ request, keptBytes, neededBytes, gpus }: Needs, host: Host): Shortage[] {
  const { args, resources: asked = {} } = request;
  const found: Shortage[] = [];
  const compare = (what: string, wanted: string | undefined, flag: string, there: number, format = formatBytes) => {
    if (wanted !== undefined && parseQuantity(wanted) > there)
      found.push({ what, asked: wanted, there: format(there), flag });
  };
  compare('CPU cores', asked.cpu, '--cpu', host.cpus, String);
  compare('memory', asked.memory, '--mem', host.memoryBytes);
  compare('disk', asked.disk, '--disk', host.freeDiskBytes + keptBytes);
  compare('shared memory (/dev/shm)', asked.shm, '--shm', host.shmBytes ?? 0);
  if (neededBytes > host.freeDiskBytes) {
    const there = formatBytes(host.freeDiskBytes);
    found.push({ what: 'disk for the model and its shards', asked: formatBytes(neededBytes), there });
  }
  if (args.device === 'cpu') return found;
  const wanted = asked.gpu ?? (args.device === 'gpu' ? String(args.tensorParallelSize) : undefined);
  if (wanted !== undefined && !hasGpus(gpus, parseGpuSpec(wanted))) {
    // Without that request the number is that of the ranks, and not every command has the flag.
    const flag = asked.gpu === undefined ? {} : { flag: '--gpu' };
    found.push({ what: GPUS, asked: wanted, there: describeGpus(gpus), ...flag });
  }
  return found;
}

function hasGpus({ names, declared }: Needs['gpus'], { model, count }: GpuSpec): boolean {
  // What the driver shows is so; where it cannot be asked, the operator's word counts.
  if (names !== undefined) return countMatching(names, model) >= count;
  if (declared === undefined) return false;
  return declared.count >= count && (declared.model === undefined || countMatching([declared.model], model) === 1);
}

function describeGpus({ names, declared }: Needs['gpus']): string {
  if (names !== undefined) return names.length === 0 ? 'none' : names.join(', ');
  return declared === undefined ? 'none' : `${declared.model ?? 'GPU'}:${declared.count}`;
}

async function gpusOf({ environment, gpu }: Where, signal: AbortSignal): Promise<Needs['gpus']> {
  return {
    names: await listGpus(environment, { signal }),
    declared: gpu === undefined ? undefined : parseGpuSpec(gpu),
  };
}

/** Files of a store on the same disk are linked: they take no room. */
async function canLink(
  store: ObjectStore,
  key: string,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal }
): Promise<boolean> {
  if (!store.root.startsWith('file:')) return false;
  // One that is missing is the next step's to report.
  const target = await store.readTarget(key, { signal }).catch(() => undefined);
  return target?.kind === 'file' && (await stat(target.path)).dev === (await stat(folder)).dev;
}

/** The layout says it exactly; else the shards are about as big as the weights, or half of that when they are cast. */
function outputBytes({ expected }: VllmShardRequest, files: readonly StoredFile[]): number {
  if (expected === undefined) return sumOf(files.filter(({ path }) => isSafetensors(path)));
  return [...expected.values()].flat().reduce((total, tensor) => total + tensorByteLength(tensor), 0);
}

function sumOf(files: readonly StoredFile[]): number {
  return files.reduce((total, { size }) => total + size, 0);
}

function insufficient(found: readonly Shortage[], scratchFolder: string): PrefetchError {
  const lacks = found.map(({ what, asked, there }) => `${what}: ${asked} asked, ${there} there`).join('; ');
  const flags = found.flatMap(({ flag }) => flag ?? []);
  const repair = [
    'run it on a bigger worker',
    ...(flags.length > 0 ? [`ask for less (${flags.join(', ')})`] : []),
    ...(found.some(({ what, flag }) => what === GPUS && flag === undefined)
      ? ['shard into as many ranks as it has GPUs (--tensor-parallel-size), or on its CPU (device: cpu, --device cpu)']
      : []),
    ...(found.some(({ what }) => what.startsWith('disk'))
      ? [`free some disk at ${scratchFolder} (MODEL_PREFETCH_SCRATCH)`]
      : []),
  ];
  return new PrefetchError(
    'InsufficientResources',
    `This host lacks ${lacks}. To repair this, ${repair.join(', or ')}`,
    {
      details: { lacks: found.map(({ what }) => what) },
    }
  );
}
