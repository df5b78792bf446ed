// npm test: everything a fresh clone needs, then the checks and all tests. The last line is `N passed, N failed`.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildAll, checkNode, getTemporalCli, install } from './set-up.mjs';
import { run, runBin, step } from './steps.mjs';

const usage = `npm test [-- [--no-check] [VITEST ARGUMENTS]]

Installs packages when they are missing or older than the lock, builds, runs the checks (npm run check), gets the
Temporal CLI and two S3 servers, and runs the tests. Everything is kept, so the next run is quick.

  --no-check        leave the checks out
  test/core         run the tests of one folder or file; all other arguments go to vitest too`;

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) console.log(usage);
else process.exitCode = await main();

async function main() {
  console.log(usage.split('\n\n')[1]);
  const failed = [];
  const attempt = async (title, work) => {
    const good = await step(title, work);
    if (!good) failed.push(title);
    return good;
  };
  const ready = (await attempt('Node', checkNode)) && (await attempt('Install packages', install));
  if (!ready || !(await buildAll())) return report({ passed: 0, failed: Math.max(1, failed.length), skipped: 0 });

  if (!args.includes('--no-check')) failed.push(...(await (await import('./check.mjs')).check()));
  await attempt('Find or get the Temporal CLI', getTemporalCli);
  await attempt('Build the S3 servers', buildS3Servers);
  const counts = await runTests();
  for (const title of failed) console.log(`Failed before the tests: ${title}`);
  return report({ ...counts, failed: counts.failed + failed.length });
}

/** Prints the closing line; a run without a single passed test is no success. */
function report({ passed, failed, skipped }) {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** Before the tests, whose time-outs are no measure for a build. */
async function buildS3Servers() {
  // CI tests S3 or fails.
  if (!process.env.CI && !(await has('go', 'version'))) {
    return 'SKIPPED, and the tests with them: Go is missing. Get Go 1.24 or newer, or set S3_TEST_ENDPOINT';
  }
  const fromPython = (await has('python3', '--version')) ? ['rclone'] : [];
  await run(process.execPath, ['scripts/s3.mjs', 'build', 'versitygw', 'minio', ...fromPython]);
  return ['versitygw', 'minio', ...fromPython].join(', ');
}

function has(program, versionArgument) {
  return run(program, [versionArgument]).then(
    () => true,
    () => false
  );
}

async function runTests() {
  const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-test-report-'));
  const file = join(folder, 'report.json');
  const forVitest = args.filter((arg) => arg !== '--no-check');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  try {
    const good = await runBin('vitest', ['run', ...reporters, ...forVitest], { show: true }).then(
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

const noTests = { passed: 0, failed: 0, skipped: 0 };

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
