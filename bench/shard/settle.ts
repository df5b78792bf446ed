import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { MiB } from '../../src/core/units.js';

const run = promisify(execFile);

/** In what state a variant finds the machine. */
export interface Rest {
  /** For the ballast: a file that holds memory until a variant starts. */
  readonly folder: string;
  readonly ballastBytes: number;
  /** Whether the files of the model have to be read from the disk; needs Linux, and root. */
  readonly isCold: boolean;
}

/** What a variant writes, what a store may copy of it, and what else wants memory. */
const TIMES_THE_MODEL = 3;

export function restFor(modelBytes: number, of: Omit<Rest, 'ballastBytes'>): Rest {
  return { ...of, ballastBytes: Math.min(TIMES_THE_MODEL * modelBytes, freemem() / 2) };
}

/**
 * Brings the machine to rest, so that all variants start alike: what the one before left to be written to the disk is not
 * to be waited for. And a virtual machine gives memory that is free for some seconds back to its host, after which new
 * memory costs many times what the copying does. So the ballast holds some until right before the start: all find it as
 * on a machine that owns its memory.
 */
export async function settle(
  { folder, ballastBytes, isCold }: Rest,
  { signal }: { readonly signal: AbortSignal }
): Promise<void> {
  const ballast = join(folder, 'ballast');
  const count = `count=${String(Math.ceil(ballastBytes / MiB))}`;
  await run('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=1M', count], { signal });
  await run('sync', { signal });
  await setTimeout(3000, undefined, { signal });
  await rm(ballast);
  if (isCold) await writeFile('/proc/sys/vm/drop_caches', '1');
}
