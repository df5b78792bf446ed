import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PrefetchError } from '../core/errors.js';
import { filesOfLiving, ownName, type ProcessFile } from './process-names.js';

/** The home belongs to this process until it is released. */
export interface HomeLock {
  release(): Promise<void>;
}

const MAX_TRIES = 100;

/**
 * Takes the home for this process alone. A holder that was killed holds nothing, from that moment on.
 * @throws PrefetchError `HomeBusy` naming the process that has it
 *
 * Each process writes a claim under a name that no other process ever has (PID and start time), then looks for
 * others. So a dead one's claim can be removed by anybody at any time, which a single lock file does not allow.
 */
export async function lockHome(home: string, options: { readonly signal?: AbortSignal } = {}): Promise<HomeLock> {
  const folder = join(home, 'lock');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const claim = { pid: process.pid, file: join(folder, await ownName()) };
  for (let tries = 0; ; tries += 1) {
    options.signal?.throwIfAborted();
    await writeClaim(home, claim);
    const others = (await liveClaims(folder)).filter(({ file }) => file !== claim.file);
    if (others.length === 0) return hold(claim);
    await rm(claim.file, { force: true });
    const holder = await findHolder(others);
    if (holder !== undefined) throw busy(home, holder.pid);
    if (tries >= MAX_TRIES) throw busy(home, others[0]?.pid ?? 0);
    // Two are trying at this very moment: whoever comes back first finds the folder empty.
    await delay(5 + Math.random() * 45);
  }
}

/** The process that holds the home now; undefined when none does. */
export async function homeHolder(home: string): Promise<number | undefined> {
  const folder = join(home, 'lock');
  return (await findHolder(await liveClaims(folder)))?.pid;
}

async function writeClaim(home: string, claim: ProcessFile): Promise<void> {
  try {
    await writeFile(claim.file, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw busy(home, claim.pid);
    throw error;
  }
}

async function hold(claim: ProcessFile): Promise<HomeLock> {
  await writeFile(heldMark(claim), '', { mode: 0o600 });
  return {
    release: async () => {
      await rm(heldMark(claim), { force: true });
      await rm(claim.file, { force: true });
    },
  };
}

function heldMark(claim: ProcessFile): string {
  return `${claim.file}.held`;
}

async function liveClaims(folder: string): Promise<ProcessFile[]> {
  return (await filesOfLiving(folder)).filter(({ file }) => !file.endsWith('.held'));
}

async function findHolder(claims: readonly ProcessFile[]): Promise<ProcessFile | undefined> {
  for (const claim of claims) {
    const held = await access(heldMark(claim)).then(
      () => true,
      () => false
    );
    if (held) return claim;
  }
  return undefined;
}

function busy(home: string, pid: number): PrefetchError {
  return new PrefetchError(
    'HomeBusy',
    `The process ${String(pid)} works in ${home} already. Wait for it to end, or set MODEL_PREFETCH_HOME to another folder`,
    { details: { pid, home } }
  );
}
