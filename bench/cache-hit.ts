/**
 * How long a cache hit takes: from the start of the workflow to its end as the server recorded it, and as the caller saw it.
 * Run: `npm run bench:hit`. Everything on loopback; the embedded server's settings (file database in WAL mode).
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { PrefetchClient } from '../src/client.js';
import { startDevServer } from '../src/embedded/dev-server.js';
import { smallRepo } from '../test/helpers/models.js';
import { startPlatform } from '../test/helpers/platform.js';
import { temporalCliPath } from '../test/helpers/temporal.js';
import { createTmpFolder, removeFolder } from '../test/helpers/tmp.js';

const RUNS = 20;

const home = await createTmpFolder();
const embedded = await startDevServer({ cli: await temporalCliPath(), home });
const server = await TestWorkflowEnvironment.createFromExistingServer({ address: embedded.address });
const platform = await startPlatform(server, { repos: [smallRepo('org/small')] });
try {
  await platform.prefetch({ repo: 'org/small' });
  const client = new PrefetchClient({ client: server.client, taskQueue: platform.settings.taskQueue });
  const workflowMs: number[] = [];
  const callerMs: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const began = performance.now();
    const handle = await client.start({ repo: 'org/small' });
    await handle.result();
    callerMs.push(performance.now() - began);
    const { startTime, closeTime } = await server.client.workflow.getHandle(handle.workflowId).describe();
    workflowMs.push((closeTime?.getTime() ?? Number.NaN) - startTime.getTime());
  }
  console.log(`cache hit, ${String(RUNS)} runs: workflow ${describe(workflowMs)}; caller ${describe(callerMs)}`);
} finally {
  await platform.stop();
  await server.teardown();
  await embedded.stop();
  await removeFolder(home);
}

function describe(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(0);
  return `median ${at(0.5)} ms (${at(0)} to ${at(1)})`;
}
