import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

/**
 * Lets the machine come to rest, so that all variants start alike. What the one before left to be written to the disk is
 * not to be waited for, and a virtual machine gives freed memory back to its host after some seconds: whoever starts
 * sooner gets memory that is many times cheaper than what a longer run gets. With less than two seconds of rest all get
 * the cheap one, as on a machine that owns its memory.
 */
export async function settle({
  restSeconds,
  signal,
}: {
  readonly restSeconds: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  await promisify(execFile)('sync', { signal });
  await setTimeout(restSeconds * 1000, undefined, { signal });
}
