import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

/** Who writes into an upload: one process of one start of one machine, where that can be told. */
export interface WriterIdentity {
  /** The running system and, for containers, whose PIDs it counts; PIDs of another one say nothing here. */
  readonly system: string;
  readonly pid: number;
  /** When the process began, as the system counts it: PIDs come again. */
  readonly start: string;
}

/** This process, or undefined where its system does not tell what it takes to prove it dead later. */
export function thisWriter(): WriterIdentity | undefined {
  const system = thisSystem();
  const start = startIn(readOrUndefined(() => readFileSync('/proc/self/stat', 'utf8')));
  return system === undefined || start === undefined ? undefined : { system, pid: process.pid, start };
}

/**
 * True only where a writer is known to be gone, and its open files with it. A process of another machine or container, a
 * stopped one, and one that nobody can tell anything about may all wake up and write.
 */
export async function isProvenDead(writer: WriterIdentity | undefined): Promise<boolean> {
  if (writer === undefined || writer.system !== thisSystem()) return false;
  const folder = `/proc/${String(writer.pid)}`;
  const stat = await readFile(`${folder}/stat`, 'utf8').catch((error: unknown) => {
    // Anything but "no such process" is no proof.
    return error instanceof Error && 'code' in error && GONE.includes(error.code) ? '' : undefined;
  });
  if (stat === undefined) return false;
  // Some machines hide processes of other users.
  if (stat === '') return !takesSignals(writer.pid);
  if (startIn(stat) !== writer.start) return true;
  // A dead process that nobody waited for; a thread of it may still be stuck in a write.
  return fieldsOf(stat)[0] === 'Z' && (await readdir(`${folder}/task`).catch(() => [])).length <= 1;
}

function takesSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

const GONE: readonly unknown[] = ['ENOENT', 'ESRCH'];

/** Boot and PID namespace; Linux alone tells both. */
function thisSystem(): string | undefined {
  const boot = readOrUndefined(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const pids = readOrUndefined(() => readlinkSync('/proc/self/ns/pid'));
  return boot === undefined || pids === undefined ? undefined : `${boot} ${pids}`;
}

function startIn(stat: string | undefined): string | undefined {
  return stat === undefined ? undefined : fieldsOf(stat)[19];
}

/** From the state, field 3, on: the name before it is in parentheses and may hold spaces. The start time is field 22. */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function readOrUndefined(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
