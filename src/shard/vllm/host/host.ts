import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';

/** What this machine, or the container that this process is in, has to give. */
export interface Host {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly freeDiskBytes: number;
  /** Size of /dev/shm; undefined where there is none. */
  readonly shmBytes: number | undefined;
}

/** Looks at this host; `folder` is on the disk that counts. */
export async function inspectHost(folder: string): Promise<Host> {
  const [quota, freeDiskBytes, shmBytes] = await Promise.all([
    cpuQuota(),
    freeBytes(folder),
    statfs('/dev/shm').then(
      ({ blocks, bsize }) => blocks * bsize,
      () => undefined
    ),
  ]);
  return { cpus: Math.min(availableParallelism(), quota), memoryBytes: memoryLimit(), freeDiskBytes, shmBytes };
}

/** Bytes that are free for this user on the disk of a folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** A container without a limit says so with a number beyond the machine's memory. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** CPUs that the control group may use; the kernel shows a container all of the machine's. */
async function cpuQuota(): Promise<number> {
  const text = await readFile('/sys/fs/cgroup/cpu.max', 'utf8').catch(() => 'max');
  return parseCpuMax(text);
}

/** Reads `QUOTA PERIOD`, microseconds both, or `max PERIOD`. */
export function parseCpuMax(text: string): number {
  const [quota, period] = text.trim().split(/\s+/).map(Number);
  const cpus = (quota ?? Number.NaN) / (period ?? Number.NaN);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : Number.POSITIVE_INFINITY;
}
