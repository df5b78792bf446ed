import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SOURCE } from './places.js';

const run = promisify(execFile);

/**
 * Writes as much as any variant will and removes it again, so that all of them start with the same page cache. On virtual
 * machines memory that the host has to give anew costs many times more than memory that was in use a moment ago.
 */
export async function readyPageCache(folder: string): Promise<void> {
  // Twice: a store may hold parts and the object made of them.
  const copies = ['ready-1', 'ready-2'].map((name) => join(folder, name));
  for (const copy of copies) await run('cp', ['-r', join(folder, SOURCE), copy]);
  for (const copy of copies) await rm(copy, { recursive: true });
  // What was left to be written to the disk is not the next one's to wait for.
  await run('sync');
}
