import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PrefetchError } from '../core/errors.js';
import { processStart } from './processes.js';

export interface HomeLock {
  release(): Promise<void>;
}

interface Claim {
  readonly file: string;
  readonly pid: number;
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
  await mkdir(folder, { recursive: true });
  const claim = await ownClaim(folder);
  for (let tries = 0; ; tries += 1) {
    options.signal?.throwIfAborted();
    await writeClaim(home, claim);
    const others = await liveClaims(folder, claim);
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

async function ownClaim(folder: string): Promise<Claim> {
  const start = (await processStart(process.pid)) ?? '';
  return { pid: process.pid, file: join(folder, claimName(process.pid, start)) };
}

/** The name says who claims it: PID, and the start time in characters that any file system takes. */
function claimName(pid: number, start: string): string {
  return `${String(pid)}-${start.replaceAll(/[^0-9A-Za-z]+/g, '_')}`;
}

async function writeClaim(home: string, claim: Claim): Promise<void> {
  try {
    await writeFile(claim.file, '', { flag: 'wx' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw busy(home, claim.pid);
    throw error;
  }
}

async function hold(claim: Claim): Promise<HomeLock> {
  await writeFile(heldMark(claim), '');
  return {
    release: async () => {
      await rm(heldMark(claim), { force: true });
      await rm(claim.file, { force: true });
    },
  };
}

function heldMark(claim: Claim): string {
  return `${claim.file}.held`;
}

async function liveClaims(folder: string, own?: Claim): Promise<Claim[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => !name.endsWith('.held'));
  const claims = names.map((name) => ({ file: join(folder, name), pid: Number.parseInt(name, 10), name }));
  const live: Claim[] = [];
  for (const { file, pid, name } of claims) {
    if (file === own?.file) continue;
    const start = await processStart(pid);
    if (start !== undefined && claimName(pid, start) === name) live.push({ file, pid });
    else await removeClaim({ file, pid });
  }
  return live;
}

async function removeClaim(claim: Claim): Promise<void> {
  await rm(heldMark(claim), { force: true });
  await rm(claim.file, { force: true });
}

async function findHolder(claims: readonly Claim[]): Promise<Claim | undefined> {
  for (const claim of claims) {
    const held = await readFile(heldMark(claim)).then(
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
