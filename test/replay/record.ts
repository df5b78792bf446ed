/**
 * Records histories of the main paths for `replay.test.ts`, each under a name that is not taken:
 * `npx tsx test/replay/record.ts <version>`. A kept history is never recorded again, only more are added.
 */
import { execFile } from 'node:child_process';
import { access, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { PrefetchInput } from '../../src/core/contract.js';
import type { DevFile } from '../../src/dev-hub/index.js';
import { createWorkers } from '../../src/worker.js';
import { hubFaults, ignoredRange, stalled } from '../helpers/hub-faults.js';
import { smallRepo } from '../helpers/models.js';
import { startPlatform } from '../helpers/platform.js';
import { formulaCommit } from '../helpers/shard-repos.js';
import { startTemporalServer, temporalCliPath } from '../helpers/temporal.js';

const run = promisify(execFile);
const [version] = process.argv.slice(2);
if (version === undefined) throw new Error('Give the version that these histories are of, such as 0.1.0');

const faults = hubFaults();
const server = await startTemporalServer();
const platform = await startPlatform(server, {
  taskQueue: 'model-prefetch',
  intercept: faults.intercept,
  repos: [
    smallRepo('org/first', { weightBytes: 70_000_000 }),
    smallRepo('org/gated', { gated: 'manual' }),
    smallRepo('org/no-ranges', { seed: 'no-ranges' }),
    smallRepo('org/cancelled', { seed: 'cancelled' }),
    { id: 'org/sharded', commits: [await formulaCommit('llama-untied')] },
    { id: 'org/many', commits: [{ files: manyFiles(16_100) }] },
  ],
});
// A host with GPUs as its queue says, and without vLLM.
const gpuWorkers = await createWorkers({
  connection: server.nativeConnection,
  settings: { ...platform.settings, python: '/absent/python' },
  roles: ['gpu'],
  gpu: 'L4:2',
  embedded: true,
});
const running = gpuWorkers.run();
try {
  await record('first-fetch', { repo: 'org/first' });
  await record('cache-hit', { repo: 'org/first' });
  await record('gated', { repo: 'org/gated' });
  faults.inject(ignoredRange(), { origin: 'cdn', path: 'no-ranges', first: 1000 });
  await record('by-disk', { repo: 'org/no-ranges' });
  faults.inject(stalled(1000), { origin: 'cdn', path: 'org/cancelled', first: 1000 });
  await record('cancelled', { repo: 'org/cancelled' }, { cancel: true });
  await record('continued', { repo: 'org/many' });
  // Several parts, as their activities are started by number.
  const sharded = sharding('org/sharded', { tensorParallelSize: 2, maxFileSize: 100_000 });
  await record('sharded', sharded);
  await record('sharded-cache-hit', sharded);
  await record('sharding-refused', sharding('org/sharded', { tensorParallelSize: 3 }));
  await record('vllm-unavailable', {
    repo: 'org/sharded',
    shardConfig: { engine: 'vllm', args: { tensorParallelSize: 2 } },
    resources: { gpu: 'L4:2' },
  });
} finally {
  gpuWorkers.shutdown();
  await running;
  await platform.stop();
  await server.teardown();
}

async function record(name: string, input: PrefetchInput, options: { cancel?: boolean } = {}): Promise<void> {
  const path = fileURLToPath(new URL(`./histories/${version ?? ''}-${name}.json`, import.meta.url));
  const taken = await access(path).then(
    () => true,
    () => false
  );
  if (taken) return;
  const handle = await platform.client.start(input);
  if (options.cancel === true) {
    while ((await handle.progress()).phase !== 'transfer') await delay(50);
    await handle.cancel();
  }
  await handle.result().catch(() => undefined);
  const show = ['workflow', 'show', '--address', server.address, '-w', handle.workflowId, '--output', 'json'];
  const { stdout } = await run(await temporalCliPath(), show, { maxBuffer: 256 * 1024 * 1024 });
  // Which process and folder it ran in is nobody's business.
  const anywhere = stdout
    .replaceAll(/"identity": "[^"]*"/g, '"identity": "worker"')
    .replaceAll(`${process.cwd()}/`, '');
  await writeFile(path, anywhere);
  console.log(`${name}: ${String(stdout.length)} bytes`);
}

function sharding(repo: string, args: NonNullable<PrefetchInput['shardConfig']>['args']): PrefetchInput {
  return { repo, shardConfig: { engine: 'native', args } };
}

function manyFiles(count: number): Record<string, DevFile> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`data/${String(n)}`, { bytes: new TextEncoder().encode(String(n)) }])
  );
}
