// npm run check: format, lint, types, dead code, links and packaging, as CI sees them. The build must be there.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { reportApi } from './api.mjs';
import { run, runBin, step } from './steps.mjs';

/** Files and headings of this repository; links that lead out of it are not followed. */
const validLinks = 'remark-validate-links=repository:false';

const steps = [
  ['Format (prettier)', () => runBin('prettier', ['--check', '--log-level', 'warn', '.'])],
  ['Lint (eslint)', () => runBin('eslint', ['--max-warnings', '0', '.'])],
  ['Types (tsc)', () => runBin('tsc', ['-p', 'tsconfig.json'])],
  ['Dead code (knip)', () => runBin('knip', ['--no-progress'])],
  ['Links (remark)', () => runBin('remark', ['--no-config', '--frail', '--quiet', '--use', validLinks, '.'])],
  ['Public surface (api-extractor)', reportApi],
  ['Package (publint, attw)', checkPackage],
];

/** Both look into one tarball of what was built: by themselves they would have npm build it again, each in its own time. */
async function checkPackage() {
  const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-pack-'));
  try {
    const packed = await run('npm', ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder]);
    const tarball = join(folder, packed);
    await runBin('publint', [tarball, '--strict']);
    await runBin('attw', [tarball, '--profile', 'esm-only', '--no-emoji']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs every check, two at a time, and returns the titles of those that failed. */
export async function check() {
  const waiting = [...steps];
  const failed = [];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [title, work] = next;
      if (!(await step(title, async () => void (await work())))) failed.push(title);
    }
  };
  await Promise.all([lane(), lane()]);
  return failed;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const failed = await check();
  console.log(failed.length === 0 ? 'All checks passed.' : `Failed: ${failed.join(', ')}.`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
