import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const packed = fileURLToPath(new URL('../e2e/fixtures/release-0.1.0.tar.gz', import.meta.url));

/** Installs release 0.1.0, as it was packed, into a folder, with the dependencies of this one; gives its command. */
export async function installEarlierRelease(folder: string): Promise<string> {
  const installed = join(folder, 'node_modules/temporal-model-prefetch');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', packed, '--strip-components=1', '-C', installed]);
  const { dependencies, peerDependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly peerDependencies: Readonly<Record<string, string>>;
  };
  for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
    const path = join(folder, 'node_modules', name);
    await mkdir(dirname(path), { recursive: true });
    await symlink(join(root, 'node_modules', name), path);
  }
  return join(installed, 'dist/cli/main.js');
}
