// npm run test:nodes: what a change of Node is most likely to break, on every supported Node but the one that runs this.
// The build must be there.
import { pathToFileURL } from 'node:url';
import { getNode, getTemporalCli } from './set-up.mjs';
import { step } from './steps.mjs';
import { addCounts, noTests, runVitest } from './vitest-run.mjs';

/** The oldest Node that `engines` allows, and one of each line that has long-term support. */
const versions = ['20.19.0', '22.23.3', '24.21.0', '26.10.0'];

/** Rooms that lean on Node itself, kept histories, webpack, and a whole run with the SDK's native part. */
const tests = [
  'test/core',
  'test/tasks',
  'test/safetensors',
  'test/http',
  'test/storage/local',
  'test/storage/s3/s3-store.test.ts',
  'test/replay',
  'test/package/workflow-bundle.test.ts',
  'test/e2e/ensure-model.test.ts',
];

/**
 * Runs those tests on each Node in turn.
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>} a Node that cannot be had is one failure
 */
export async function testOtherNodes(
  wanted = versions.filter((version) => major(version) !== major(process.versions.node))
) {
  let counts = noTests;
  for (const version of wanted) counts = addCounts(counts, await testNode(version));
  return counts;
}

async function testNode(version) {
  let node = '';
  const found = await step(`Find or get Node ${version}`, async () => (node = await getNode(version)));
  return found ? runVitest(tests, node) : { ...noTests, failed: 1 };
}

function major(version) {
  return version.split('.')[0];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await step('Find or get the Temporal CLI', getTemporalCli);
  const asked = process.argv.slice(2).map((text) => versions.filter((version) => major(version) === major(text)));
  const { passed, failed } = await testOtherNodes(asked.length === 0 ? undefined : asked.flat());
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
