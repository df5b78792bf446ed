// npm run check: format, lint, types, dead code, links and packaging, as CI sees them. The build must be there.
import { pathToFileURL } from 'node:url';
import { reportApi } from './api.mjs';
import { runBin, step } from './steps.mjs';

/** Files and headings of this repository; links that lead out of it are not followed. */
const validLinks = 'remark-validate-links=repository:false';

const steps = [
  ['Format (prettier)', () => runBin('prettier', ['--check', '--log-level', 'warn', '.'])],
  ['Lint (eslint)', () => runBin('eslint', ['--max-warnings', '0', '.'])],
  ['Types (tsc)', () => runBin('tsc', ['-p', 'tsconfig.json'])],
  ['Dead code (knip)', () => runBin('knip', ['--no-progress'])],
  ['Links (remark)', () => runBin('remark', ['--no-config', '--frail', '--quiet', '--use', validLinks, '.'])],
  ['Public surface (api-extractor)', reportApi],
  ['Package (publint)', () => runBin('publint', ['--strict'])],
  ['Package types (attw)', () => runBin('attw', ['--pack', '.', '--profile', 'esm-only', '--no-emoji'])],
];

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
