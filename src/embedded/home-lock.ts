import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PrefetchError } from '../core/errors.js';
import { filesOfLiving, ownName, type ProcessFile } from './process-names.js';

/** The home is this process's own until it is shared or released. */
export interface HomeLock {
  /** Lets others in who know this life of the server. */
  share(session: string): Promise<void>;
  release(): Promise<void>;
}

/** A process that works in a home. */
export interface HomeHolder {
  readonly pid: number;
  /** The life of the server that it shares; undefined where it has the home for itself, as all do in earlier releases. */
  readonly session: string | undefined;
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
  return take(home, { ...options, session: undefined });
}

/**
 * Takes a share of a home beside others who share the same life of its server. For earlier releases it is a lock like
 * any other: they stay out until the last share is released.
 * @throws PrefetchError `HomeBusy` naming a process that does not share
 */
export async function shareHome(
  home: string,
  session: string,
  options: { readonly signal?: AbortSignal } = {}
): Promise<HomeLock> {
  return take(home, { ...options, session });
}

/** The process that holds the home now; undefined when none does. */
export async function homeHolder(home: string): Promise<number | undefined> {
  return (await homeHolders(home))[0]?.pid;
}

/** All processes that hold the home now. */
export async function homeHolders(home: string): Promise<HomeHolder[]> {
  return holdersAmong(await liveClaims(join(home, 'lock')));
}

async function take(
  home: string,
  { session, signal }: { readonly session: string | undefined; readonly signal?: AbortSignal }
): Promise<HomeLock> {
  const folder = join(home, 'lock');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const claim = { pid: process.pid, file: join(folder, await ownName()) };
  for (let tries = 0; ; tries += 1) {
    signal?.throwIfAborted();
    await writeClaim(home, claim);
    const others = (await liveClaims(folder)).filter(({ file }) => file !== claim.file);
    const holders = await holdersAmong(others);
    const sharing = holders.filter((holder) => session !== undefined && holder.session === session);
    if (sharing.length === others.length) return hold(claim, session);
    await rm(claim.file, { force: true });
    const holder = holders.find((each) => !sharing.includes(each));
    if (holder !== undefined) throw busy(home, holder.pid);
    if (tries >= MAX_TRIES) throw busy(home, others[0]?.pid ?? 0);
    // Two are trying at this very moment: whoever comes back first finds the folder empty.
    await delay(5 + Math.random() * 45);
  }
}

async function writeClaim(home: string, claim: ProcessFile): Promise<void> {
  try {
    await writeFile(claim.file, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw busy(home, claim.pid);
    throw error;
  }
}

/** Earlier releases look for the mark alone, so it can tell the others who may come in. */
async function hold(claim: ProcessFile, session: string | undefined): Promise<HomeLock> {
  const mark = (text: string) => writeFile(heldMark(claim), text, { mode: 0o600 });
  await mark(session ?? '');
  return {
    share: mark,
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

async function holdersAmong(claims: readonly ProcessFile[]): Promise<HomeHolder[]> {
  const holders = claims.map(async (claim): Promise<HomeHolder[]> => {
    const mark = await readFile(heldMark(claim), 'utf8').catch(() => undefined);
    return mark === undefined ? [] : [{ pid: claim.pid, session: mark === '' ? undefined : mark }];
  });
  return (await Promise.all(holders)).flat();
}

function busy(home: string, pid: number): PrefetchError {
  return new PrefetchError(
    'HomeBusy',
    `The process ${String(pid)} has ${home} for itself, as commands of earlier releases do. Wait for it to end, or set ` +
      'MODEL_PREFETCH_HOME to another folder, and MODEL_PREFETCH_STORE to the store of this one, which keeps what is there',
    { details: { pid, home } }
  );
}
