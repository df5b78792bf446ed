import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Makes an empty folder that is removed when the running test has finished. */
export async function tmpFolder(): Promise<string> {
  const folder = await createTmpFolder();
  onTestFinished(() => removeFolder(folder));
  return folder;
}

/** The same for a whole file: make it in `beforeAll`, hand it to `removeFolder` in `afterAll`. */
export async function createTmpFolder(): Promise<string> {
  // macOS links /tmp to /private/tmp; a real path compares equal to what the code under test reports.
  return mkdtemp(join(await realpath(tmpdir()), 'model-prefetch-test-'));
}

export async function removeFolder(folder: string): Promise<void> {
  // A server that was just stopped may still be closing its files.
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
