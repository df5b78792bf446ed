import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { processStart } from './processes.js';

/** A file whose name says which process wrote it. */
export interface ProcessFile {
  readonly file: string;
  readonly pid: number;
}

/** A name that no other process ever has: PID, and the start time in characters that any file system takes. */
export async function ownName(): Promise<string> {
  return nameOf(process.pid, (await processStart(process.pid)) ?? '');
}

/**
 * The files of processes that live, out of those that are named after processes; an ending behind a dot may follow.
 * What a dead one left is removed, which anybody may do at any time: nobody else ever gets its name.
 */
export async function filesOfLiving(folder: string): Promise<ProcessFile[]> {
  const live: ProcessFile[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const [owner = ''] = name.split('.');
    const [file, pid] = [join(folder, name), Number.parseInt(owner, 10)];
    // What has another kind of name is not ours to remove.
    if (Number.isNaN(pid)) continue;
    const start = await processStart(pid);
    if (start !== undefined && nameOf(pid, start) === owner) live.push({ file, pid });
    else await rm(file, { force: true });
  }
  return live;
}

function nameOf(pid: number, start: string): string {
  return `${String(pid)}-${start.replaceAll(/[^0-9A-Za-z]+/g, '_')}`;
}
