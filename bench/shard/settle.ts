import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

/**
 * Lets the machine come to rest, so that all variants start alike. What the one before left to be written to the disk is
 * not to be waited for, and a virtual machine gives freed memory back to its host after some seconds: whoever starts
 * sooner gets memory that is many times cheaper than what a longer run gets.
 */
export async function settle(options: { readonly signal: AbortSignal }): Promise<void> {
  await promisify(execFile)('sync', options);
  await setTimeout(6000, undefined, options);
}
