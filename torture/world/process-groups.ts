import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

/** Names processes that belong to a round; they pass it on to what they start. */
export const MARKER = 'MODEL_PREFETCH_TORTURE';

const OUTPUT_KEPT = 16_384;

/** A process in a group of its own. */
export interface ProcessGroup {
  readonly name: string;
  readonly pid: number;
  readonly running: () => boolean;
  /** Ends with the exit code, or with the name of the signal. */
  readonly ended: Promise<number | string>;
  readonly signal: (name: NodeJS.Signals) => void;
  /** The end of what it wrote. */
  readonly output: () => string;
}

/** Starts Node or another program in a group of its own, with only this environment. */
export function startGroup(options: {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}): ProcessGroup {
  const { name, program, args, env, cwd } = options;
  const child = spawn(program, args, { detached: true, env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} could not be started`);
  living.add(pid);
  child.once('exit', () => living.delete(pid));
  let output = '';
  const keep = (text: string) => {
    output = (output + text).slice(-OUTPUT_KEPT);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  const running = () => child.exitCode === null && child.signalCode === null;
  return {
    name,
    pid,
    running,
    ended: endOf(child),
    output: () => output,
    signal: (signal) => {
      // A PID that was let go may be somebody else's.
      if (running()) signalQuietly(-pid, signal);
    },
  };
}

/** Whatever ends this process in a hurry takes along what it started. */
const living = new Set<number>();
process.once('exit', () => {
  for (const pid of living) signalQuietly(-pid, 'SIGKILL');
});

/** Ends a process at once, or after it had time to end by itself. */
export async function endGroup(group: ProcessGroup, graceMs = 0): Promise<void> {
  group.signal('SIGCONT');
  if (graceMs > 0) {
    group.signal('SIGTERM');
    await within(group.ended, graceMs);
  }
  group.signal('SIGKILL');
  await within(group.ended, 10_000);
}

/** PIDs of what carries the mark in its environment or the text in its command line. */
export async function findMarked(mark: string, text: string): Promise<{ pid: number; command: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [environment, command, stat] = await Promise.all(
        ['environ', 'cmdline', 'stat'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => ''))
      );
      const isDead = /\) [ZX] /.test(stat ?? '');
      const isMarked = (environment ?? '').split('\0').includes(`${MARKER}=${mark}`) || command?.includes(text);
      return isMarked === true && !isDead ? [{ pid: Number(pid), command: (command ?? '').replaceAll('\0', ' ') }] : [];
    })
  );
  return found.flat();
}

/** Sends a signal to a process that may be gone. */
export function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}

/** Waits for something, but not for ever; false when it did not come. */
export async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, ms);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function endOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => {
    child.once('error', () => {
      resolve('error');
    });
    child.once('close', (code, signal) => {
      resolve(code ?? signal ?? 'unknown');
    });
  });
}
