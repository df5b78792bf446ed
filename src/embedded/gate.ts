import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PrefetchError } from '../core/errors.js';
import { filesOfLiving, ownName } from './process-names.js';

/** How long the way through the gate may take, and who hears about it. */
export interface GateOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told once, after a moment, which process is in the way. */
  readonly onWait?: (pid: number) => void;
  /** @default 10 minutes: whoever is inside may be fetching the Temporal CLI */
  readonly patienceMs?: number;
}

const LOOK_MS = 20;
const TELL_MS = 2_000;
const PATIENCE_MS = 600_000;

let entered = 0;

/**
 * Does something that the commands of a home do one after the other, in the order in which they came. Who is killed inside
 * is out of it at that moment.
 * @throws PrefetchError `HomeBusy` naming the process that has been inside for too long
 *
 * The bakery's way, with files: each puts its name down, then draws the next number, then waits for everybody with a
 * lower one. The name stays until the end, so that no list of the folder can miss who is just drawing.
 */
export async function throughGate<T>(home: string, work: () => Promise<T>, options: GateOptions = {}): Promise<T> {
  const folder = join(home, 'gate');
  // Counted before anything is waited for: others of this process may come in between.
  const count = (entered += 1);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = `${await ownName()}.${String(count)}`;
  const [present, own] = [join(folder, name), { name, number: 0 }];
  await writeFile(present, '', { flag: 'wx', mode: 0o600 });
  try {
    own.number = 1 + Math.max(0, ...(await comers(folder)).map(({ number }) => number ?? 0));
    await writeFile(numbered(present, own.number), '', { flag: 'wx', mode: 0o600 });
    await waitForTurn(home, { folder, own }, options);
    return await work();
  } finally {
    await rm(numbered(present, own.number), { force: true });
    await rm(present, { force: true });
  }
}

interface Comer {
  readonly name: string;
  readonly pid: number;
  /** Undefined while it is drawn. */
  readonly number: number | undefined;
}

interface Turn {
  readonly folder: string;
  readonly own: { readonly name: string; readonly number: number };
}

async function waitForTurn(home: string, { folder, own }: Turn, options: GateOptions): Promise<void> {
  const { signal, onWait, patienceMs = PATIENCE_MS } = options;
  let told = false;
  // Waits are counted, not clock time: a machine that slept did not wait.
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
    signal?.throwIfAborted();
    const [first] = (await comers(folder)).filter((other) => isAhead(other, own));
    if (first === undefined) return;
    if (waitedMs >= patienceMs) throw stuck(home, first.pid);
    if (!told && waitedMs >= TELL_MS) onWait?.(first.pid);
    told ||= waitedMs >= TELL_MS;
    await delay(LOOK_MS);
  }
}

function isAhead({ name, number }: Comer, own: Turn['own']): boolean {
  if (name === own.name) return false;
  return number === undefined || number < own.number || (number === own.number && name < own.name);
}

/** A file is `PID-START.COUNT`, or the same with the number behind it. */
async function comers(folder: string): Promise<Comer[]> {
  const found = new Map<string, Comer>();
  for (const { file, pid } of await filesOfLiving(folder)) {
    const [owner = '', count = '', drawn] = basename(file).split('.');
    const name = `${owner}.${count}`;
    found.set(name, { name, pid, number: drawn === undefined ? found.get(name)?.number : Number(drawn) });
  }
  return [...found.values()];
}

function numbered(present: string, number: number): string {
  return `${present}.${String(number)}`;
}

function stuck(home: string, pid: number): PrefetchError {
  return new PrefetchError(
    'HomeBusy',
    `The process ${String(pid)} has been starting or joining the embedded server of ${home} for too long. ` +
      'End it, or set MODEL_PREFETCH_HOME to another folder and MODEL_PREFETCH_STORE to the store of this one',
    { details: { pid, home } }
  );
}
