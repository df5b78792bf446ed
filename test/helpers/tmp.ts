import { mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Makes an empty folder that is removed when the running test has finished. */
export async function tmpFolder(): Promise<string> {
  const folder = await createTmpFolder();
  onTestFinished(() => removeFolder(folder));
  return folder;
}

/** One on another disk than the others, in shared memory; undefined where there is no second file system. */
export async function tmpFolderElsewhere(): Promise<string | undefined> {
  try {
    const folder = await mkdtemp('/dev/shm/model-prefetch-test-');
    onTestFinished(() => removeFolder(folder));
    return (await stat(folder)).dev === (await stat(tmpdir())).dev ? undefined : folder;
  } catch {
    return undefined;
  }
}

/** A folder for a whole file of tests: make it in `beforeAll`, hand it to `removeFolder` in `afterAll`. */
export async function createTmpFolder(): Promise<string> {
  // macOS links /tmp to /private/tmp; a real path compares equal to what the code under test reports.
  return mkdtemp(join(await realpath(tmpdir()), 'model-prefetch-test-'));
}

export async function removeFolder(folder: string): Promise<void> {
  // A server that was just stopped may still be closing its files.
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Paths of the files under a folder; none where there is no folder. */
export async function storedFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}
