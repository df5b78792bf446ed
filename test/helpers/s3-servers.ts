import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe } from 'vitest';

export { externalS3, startMinio, startRcloneS3, startVersitygw, type S3Server } from './s3-programs.js';

const run = promisify(execFile);

const canBuild = await run('go', ['version']).then(
  () => true,
  () => false
);
const hasPython = await run('python3', ['--version']).then(
  () => true,
  () => false
);

/** Tests with real S3 servers: skipped with a loud line where these cannot be had, failing instead in CI. */
export function describeWithS3(title: string, define: () => void): void {
  if (!canBuild && process.env['CI'] !== 'true') {
    console.warn(
      `SKIPPED: ${title}: Go is missing, so the S3 servers cannot be built. Install Go (https://go.dev/dl/), or set ` +
        'S3_TEST_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and S3_TEST_BUCKET for the tests of external stores.'
    );
    describe.skip(title, define);
    return;
  }
  describe(title, define);
}

/** The same for the store that is installed with pip. */
export function describeWithRclone(title: string, define: () => void): void {
  if (!hasPython && process.env['CI'] !== 'true') {
    console.warn(`SKIPPED: ${title}: Python 3 is missing, so rclone cannot be installed.`);
    describe.skip(title, define);
    return;
  }
  describe(title, define);
}
