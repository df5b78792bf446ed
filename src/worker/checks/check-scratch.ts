import { access, mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Settings } from '../../config/environment.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { formatBytes } from '../../core/progress-text.js';
import { MiB } from '../../core/units.js';
import type { Check } from './check-worker.js';

/** Below this no file of weights would fit. */
const SOME_ROOM = 64 * MiB;

/** The scratch folder, for those who go by way of local disk: every file, or what vLLM reads and writes. */
export const checkScratch: Check = async ({ settings, roles }) => {
  const byDisk = settings.transferMode === 'download-upload' && roles.includes('transfer');
  if (!byDisk && !roles.includes('gpu')) return [];
  await checkFolder(settings);
  return [`scratch ${settings.scratchFolder}`];
};

/** Whether the scratch folder can be made and written, and has some room. */
export async function checkFolder({ scratchFolder: folder }: Pick<Settings, 'scratchFolder'>): Promise<void> {
  try {
    await makeFolder(folder);
    await rm(await mkdtemp(join(folder, 'check-')), { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < SOME_ROOM) throw full(folder, bavail * bsize);
  } catch (error) {
    if (isPrefetchError(error)) throw error;
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw reason === 'ENOSPC' || reason === 'EDQUOT' ? full(folder, 0) : notWritable(folder, reason);
  }
}

/** Step by step: where a folder of the system refuses as /proc does, mkdir of Node tries without an end. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    const above = dirname(folder);
    if (code !== 'ENOENT' || above === folder || (await isThere(above))) throw error;
    await makeFolder(above);
    await mkdir(folder);
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  );
}

function full(folder: string, freeBytes: number): PrefetchError {
  const text =
    `MODEL_PREFETCH_SCRATCH: ${folder} has ${formatBytes(freeBytes)} free, and no model fits into less than ` +
    `${formatBytes(SOME_ROOM)}. Free some space, or choose another folder`;
  return new PrefetchError('DiskFull', text, { details: { path: folder, freeBytes, neededBytes: SOME_ROOM } });
}

function notWritable(folder: string, reason: string): PrefetchError {
  const text = `MODEL_PREFETCH_SCRATCH: ${folder} cannot be written (${reason}). Choose a folder that this user may write`;
  return new PrefetchError('StoreAccessDenied', text, { details: { path: folder, system: reason } });
}
