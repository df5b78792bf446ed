import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { root, run } from './steps.mjs';

/**
 * Runs vitest and shows what it prints.
 * @param {readonly string[]} args - files, folders and flags
 * @param {string} [node] - the Node that runs it, and all that the tests start
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>}
 */
export async function runVitest(args, node = process.execPath) {
  const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-test-report-'));
  const file = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const env = { PATH: [dirname(node), process.env.PATH].join(delimiter) };
  try {
    const command = [join(root, 'node_modules/.bin/vitest'), 'run', ...reporters, ...args];
    const good = await run(node, command, { env, show: true }).then(
      () => true,
      () => false
    );
    const counts = existsSync(file) ? countTests(JSON.parse(await readFile(file, 'utf8'))) : noTests;
    // An error outside of any test, or a crash, fails the run without a failed test.
    return good || counts.failed > 0 ? counts : { ...counts, failed: 1 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a sum of runs starts with. */
export const noTests = { passed: 0, failed: 0, skipped: 0 };

/** The sum of two runs. */
export function addCounts(one, other) {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
  };
}

function countTests({ numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults }) {
  const brokenFiles = testResults.filter((file) => file.status === 'failed' && !file.assertionResults.some(isFailed));
  return {
    passed: numPassedTests,
    failed: numFailedTests + brokenFiles.length,
    skipped: numPendingTests + numTodoTests,
  };
}

function isFailed(assertion) {
  return assertion.status === 'failed';
}
