import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { startTemporalServer } from '../../test/helpers/temporal.js';
import { flippedBit } from '../../test/helpers/hub-faults.js';
import {
  bytesIn,
  digestAtHub,
  digestOf,
  type Model,
  objectsBelow,
  type Setting,
  until,
  weightsName,
} from './setting.js';
import { begin, environmentOf, type Place, type Way } from './ways.js';

/** What every trial needs. */
export interface Bench {
  readonly setting: Setting;
  readonly model: Model;
  /** A fresh place for a run. */
  readonly place: () => Promise<Place>;
}

/** `TASK_QUEUE_TYPE_WORKFLOW` of Temporal's API. */
const WORKFLOW_TASKS = 1;

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Brings the model once, then again: how long each takes, what is fetched, what local disk holds at the end. */
export async function twice(way: Way, { setting, model, place }: Bench) {
  const here = await place();
  const first = await timed(() => runToEnd(way, model.repo, here));
  const diskBytes = await bytesIn(here.folder);
  const before = setting.fetched();
  const again = await timed(() => runToEnd(way, model.repo, here));
  return { seconds: first, diskBytes, againSeconds: again, againBytes: setting.fetched() - before };
}

/** Kills a run when half of the model has been fetched, looks at the bucket, and runs it again. */
export async function killedHalfWay(way: Way, { setting, model, place }: Bench) {
  const here = await place();
  const before = setting.fetched();
  const run = await way.start(model.repo, here);
  await until(() => setting.fetched() - before >= model.bytes / 2, run.ended);
  await run.kill();
  const seen = await objectsBelow(setting.root, here.prefix);
  await runToEnd(way, model.repo, here);
  return { seen, fetchedAgainBytes: setting.fetched() - before - model.bytes };
}

/** Kills a run when the first file can be seen in the bucket, and says what a reader sees. */
export async function killedWhileVisible(way: Way, { setting, model, place }: Bench): Promise<string[]> {
  const here = await place();
  const run = await way.start(model.repo, here);
  const seen = () => objectsBelow(setting.root, here.prefix);
  await until(async () => (await seen()).some((key) => key.endsWith('.safetensors')), run.ended);
  await run.kill();
  return seen();
}

/** The CDN sends one wrong bit: how the run ends, and whether the object is what the Hub has. */
export async function wrongBit(way: Way, { setting, model, place }: Bench) {
  const here = await place();
  const path = weightsName(2);
  const fault = setting.faults.inject(
    { body: (chunks, context) => flippedBit(context.start + 1000).body?.(chunks, context) ?? chunks },
    { origin: 'cdn', method: 'GET', path }
  );
  const code = await (await way.start(model.repo, here)).ended;
  fault.remove();
  const key = (await objectsBelow(setting.root, here.prefix)).find((object) => object.endsWith(path));
  const expected = await digestAtHub(setting.hub, model.repo, path);
  const url = `${setting.root}${key ?? ''}`;
  const found = key === undefined ? undefined : await digestOf(url, environmentOf(setting, model.repo, here));
  return { hits: fault.hits, code, isRight: found === expected };
}

/** Two ask at once, on machines of their own; for this package, through one Temporal server. */
export async function twoAtOnce(way: Way, bench: Bench): Promise<number> {
  const { setting, model, place } = bench;
  const before = setting.fetched();
  if (way.isOurs) await twoOnCluster(bench);
  else await Promise.all([place(), place()].map(async (here) => runToEnd(way, model.repo, await here)));
  return (setting.fetched() - before) / model.bytes;
}

async function twoOnCluster({ setting, model, place }: Bench): Promise<void> {
  const here = await place();
  const server = await startTemporalServer();
  const env = { ...environmentOf(setting, model.repo, here), TEMPORAL_ADDRESS: server.address };
  const worker = await begin(process.execPath, [cli, 'worker'], env);
  try {
    while ((await pollersOf(server)) === 0) await delay(50);
    const ask = async () => (await begin(process.execPath, [cli, 'hf-model', model.repo, '--wait'], env)).ended;
    if ((await Promise.all([ask(), ask()])).some((code) => code !== 0)) throw new Error('One of the two failed');
  } finally {
    await worker.kill();
    await server.teardown();
  }
}

async function pollersOf({ client, namespace = 'default' }: TestWorkflowEnvironment): Promise<number> {
  const request = { namespace, taskQueue: { name: 'model-prefetch' }, taskQueueType: WORKFLOW_TASKS };
  // The enum of queue types lives in a package that is no dependency of ours.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
  const { pollers } = await client.workflowService.describeTaskQueue(request);
  return pollers.length;
}

async function runToEnd(way: Way, repo: string, place: Place): Promise<void> {
  const code = await (await way.start(repo, place)).ended;
  if (code !== 0) throw new Error(`${way.name} ended with ${String(code)}`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Gives out places below a folder. */
export function placesIn(folder: string): () => Promise<Place> {
  let count = 0;
  return async () => {
    count += 1;
    const place = { folder: join(folder, String(count)), prefix: `run-${String(count)}/` };
    await mkdir(place.folder);
    return place;
  };
}
