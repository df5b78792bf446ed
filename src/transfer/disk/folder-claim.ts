import { mkdir, readdir, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PrefetchError } from '../../core/errors.js';
import { isSystemError, withFileErrors } from '../../storage/local/file-errors.js';

/** This process works in a folder, until it stops or dies. */
export interface FolderClaim {
  stop(): void;
}

const PREFIX = 'claim.';
const RENEW_MS = 10_000;
// A process that this one can see, and that has not renewed its claim for so long, is another one with the same number.
const LOST_MS = 10 * 60_000;
// Of a process in another container or on another host nothing is seen but its claim.
const LOST_UNSEEN_MS = 2 * 60_000;
const TRIES = 20;

/**
 * Makes a folder and claims it, or fails as `InsufficientResources` while another live process has it. Each process writes a claim under
 * a name of its own and then looks for others, so that a dead one's claim can be removed by anybody at any time.
 */
export async function claimFolder(folder: string): Promise<FolderClaim> {
  const file = join(folder, claimName(await placeOf(), process.pid));
  for (let tries = 0; ; tries++) {
    // Whoever had it may take it away at any moment, with the claims of those who wait for it.
    const written = await writeClaim(folder, file);
    const others = await liveClaims(folder, file);
    if (written && others.length === 0 && (await isThere(file))) return keepAlive(file);
    await rm(file, { force: true });
    // Two may be trying at this very moment: whoever comes back first finds the folder free.
    if (tries === TRIES) throw taken(folder, others);
    await delay(5 + Math.random() * 45);
  }
}

/** False when the folder went between being made and being written to. */
async function writeClaim(folder: string, file: string): Promise<boolean> {
  return withFileErrors({ action: 'make', path: folder }, async () => {
    await mkdir(folder, { recursive: true });
    try {
      await writeFile(file, '');
      return true;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return false;
      throw error;
    }
  });
}

/** When a process last claimed this folder, in milliseconds since the epoch. */
export async function lastClaimed(folder: string): Promise<number> {
  const times = (await claimsIn(folder)).map(({ file }) => modified(file));
  return Math.max(0, ...(await Promise.all(times)), await modified(folder));
}

interface Claim {
  readonly file: string;
  readonly place: string;
  readonly pid: number;
}

function keepAlive(file: string): FolderClaim {
  const timer = setInterval(() => {
    const now = new Date();
    // The folder was removed under it: then nothing is claimed any more, and the job fails by itself.
    utimes(file, now, now).catch(() => undefined);
  }, RENEW_MS);
  timer.unref();
  return {
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** Where a process number means one process: the host, and the container. */
async function placeOf(): Promise<string> {
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return `${hostname()}-${namespace}`.replaceAll(/[^0-9A-Za-z-]+/g, '_');
}

function claimName(place: string, pid: number): string {
  return `${PREFIX}${place}.${String(pid)}`;
}

async function claimsIn(folder: string): Promise<Claim[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => {
    const [, place, pid] = /^claim\.([\w-]+)\.(\d+)$/.exec(name) ?? [];
    return place === undefined ? [] : [{ file: join(folder, name), place, pid: Number(pid) }];
  });
}

async function liveClaims(folder: string, own: string): Promise<Claim[]> {
  const here = await placeOf();
  const live: Claim[] = [];
  for (const claim of await claimsIn(folder)) {
    if (claim.file === own) continue;
    const ageMs = Date.now() - (await modified(claim.file));
    const lives = claim.place === here ? exists(claim.pid) && ageMs < LOST_MS : ageMs < LOST_UNSEEN_MS;
    if (lives) live.push(claim);
    else await rm(claim.file, { force: true });
  }
  return live;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await modified(path)) > 0;
}

async function modified(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0
  );
}

function taken(folder: string, [other]: readonly Claim[]): PrefetchError {
  const why =
    other === undefined
      ? 'is taken away again and again: other processes work on the same plan'
      : `is in use by the process ${String(other.pid)} (${other.place}): it works on the same plan`;
  return new PrefetchError('InsufficientResources', `${folder} ${why}`, { details: { folder } });
}
