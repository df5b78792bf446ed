import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import type { Outcome } from './explore.js';
import type { Patch } from './taken-out-fixes.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Explores in a process of its own, since the package is loaded with patches and without threads there. */
export async function runExploration(
  options: readonly string[],
  patches: readonly Patch[] = []
): Promise<readonly Outcome[]> {
  const imports = ['--import', './test/exploration/register.mjs', '--import', 'tsx'];
  const child = spawn(process.execPath, [...imports, 'test/exploration/main.ts', '--json', ...options], {
    cwd: root,
    env: { ...process.env, EXPLORE_PATCHES: JSON.stringify(patches), NODE_OPTIONS: '--max-old-space-size=4096' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(`The exploration ended with ${String(code)}:\n${err}`);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Outcome);
}
