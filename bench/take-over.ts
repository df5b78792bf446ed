import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { PrefetchClient } from '../src/client.js';
import { startDevHub, type BodyChunks, type DevHub } from '../src/dev-hub/index.js';
import { startWorkerProcess, type CliRun } from '../test/helpers/cli.js';
import { keptServer } from '../test/helpers/kept-server.js';

/**
 * How long a run stands still when its worker ends, and what it fetches twice: a real server, two worker processes, a CDN
 * that gives each connection `--rate` MiB/s. It runs what `npm run build` left in `dist`.
 *
 *     npm run bench:take-over -- [--signal SIGKILL|SIGTERM] [--rate 1] [--part 5] [--size 128] [--rounds 3]
 */
const flags = new Map(
  process.argv.flatMap((word, at, all) => (word.startsWith('--') ? [[word.slice(2), all[at + 1] ?? '']] : []))
);
const MiB = 1024 * 1024;
/** Of an activity that a worker works on; the enum is in a package that is no dependency of ours. */
const STARTED = 2;
const number = (name: string, otherwise: number): number => Number(flags.get(name) ?? otherwise);
const ask = {
  signals: flags.has('signal') ? [flags.get('signal')] : ['SIGKILL', 'SIGTERM'],
  rate: number('rate', 1),
  partMiB: number('part', 5),
  sizeMiB: number('size', 128),
  rounds: number('rounds', 3),
};

const folder = await mkdtemp(join(tmpdir(), 'take-over-'));
const server = await keptServer(folder);
await server.start();
const connection = await Connection.connect({ address: server.address });
const client = new Client({ connection });
let slow = true;
const hub = await startDevHub({
  repos: [{ id: 'org/model', commits: [{ files: { 'model.safetensors': { size: ask.sizeMiB * MiB, seed: 'x' } } }] }],
  intercept: ({ origin }) => (slow && origin === 'cdn' ? { body: paced } : undefined),
});
let round = 0;
try {
  for (const signal of ask.signals) {
    for (let n = 0; n < ask.rounds; n++) await measure(signal as NodeJS.Signals);
  }
} finally {
  await hub.close();
  await connection.close();
  await server.kill();
  await rm(folder, { recursive: true, force: true });
}

async function measure(signal: NodeJS.Signals): Promise<void> {
  round += 1;
  const taskQueue = `take-over-${String(round)}`;
  const env = {
    TEMPORAL_ADDRESS: server.address,
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_STORE: pathToFileURL(join(folder, `store-${String(round)}`)).href,
    MODEL_PREFETCH_SHARED_FILES: 'true',
    MODEL_PREFETCH_TASK_QUEUE: taskQueue,
    MODEL_PREFETCH_PART_SIZE: `${String(ask.partMiB)}MiB`,
  };
  slow = true;
  const workers: CliRun[] = [await startWorkerProcess(env)];
  try {
    const before = cdnBytes(hub);
    const handle = await new PrefetchClient({ client, taskQueue }).start({ repo: 'org/model' });
    while (cdnBytes(hub) - before < 0.3 * ask.sizeMiB * MiB) await delay(20);
    workers.push(await startWorkerProcess(env));
    const start = performance.now();
    process.kill(workers[0]?.child.pid ?? 0, signal);
    let ended = 0;
    void workers[0]?.ended.then(() => (ended = performance.now() - start));
    while (!(await isTakenOver(handle.workflowId))) await delay(20);
    const takenMs = performance.now() - start;
    slow = false;
    await handle.result();
    const twice = cdnBytes(hub) - before - ask.sizeMiB * MiB;
    process.stdout.write(
      `${signal}: next attempt after ${(takenMs / 1000).toFixed(1)} s, process ended after ${(ended / 1000).toFixed(1)} s, ` +
        `${(twice / MiB).toFixed(1)} MiB fetched twice\n`
    );
  } finally {
    for (const worker of workers) {
      if (worker.child.exitCode === null && worker.child.signalCode === null) worker.killGroup();
      await worker.ended;
    }
  }
}

async function isTakenOver(workflowId: string): Promise<boolean> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  return (raw.pendingActivities ?? []).some(({ attempt, state }) => (attempt ?? 1) > 1 && Number(state) === STARTED);
}

async function* paced(chunks: BodyChunks): AsyncGenerator<Uint8Array> {
  const piece = 64 * 1024;
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += piece) {
      await delay((piece / (ask.rate * MiB)) * 1000);
      yield chunk.subarray(start, start + piece);
    }
  }
}

function cdnBytes({ requests }: DevHub): number {
  return requests.filter(({ origin }) => origin === 'cdn').reduce((total, { bytesSent }) => total + bytesSent, 0);
}
