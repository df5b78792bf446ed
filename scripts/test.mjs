// npm test: everything a fresh clone needs, then the checks and all tests. The last line is `N passed, N failed`.
import { testOtherNodes } from './other-nodes.mjs';
import { buildAll, checkNode, getTemporalCli, install } from './set-up.mjs';
import { run, step } from './steps.mjs';
import { addCounts, noTests, runVitest } from './vitest-run.mjs';

const usage = `npm test [-- [--no-check] [VITEST ARGUMENTS]]

Installs packages when they are missing or older than the lock, builds, runs the checks (npm run check), gets the
Temporal CLI and two S3 servers, and runs the tests: all of them on this Node, then a part on each other Node that is
supported (npm run test:nodes). Everything is kept, so the next run is quick.

  --no-check        leave the checks out
  test/core         run the tests of one folder or file, on this Node alone; all other arguments go to vitest too`;

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
  const forVitest = args.filter((arg) => arg !== '--no-check');
  const here = await runVitest(forVitest);
  const elsewhere = forVitest.length === 0 ? await testOtherNodes() : noTests;
  const counts = addCounts(here, elsewhere);
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
