import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3FaultProxy } from '../../test/helpers/s3-fault-proxy.js';
import type { RoundPlan, RunPlan } from '../plan/round-plan.js';
import type { Watch } from '../reader/reader.js';
import type { WatchedDir } from '../reader/messages.js';
import { startHub, type HubBench } from '../world/hub-bench.js';
import { endGroup, findMarked, MARKER, signalQuietly, within } from '../world/process-groups.js';
import { accessStore } from '../world/store-access.js';
import type { StoreBench } from '../world/store-bench.js';
import { injectStoreFaults, watchRequests } from '../world/store-faults.js';
import type { World } from '../world/world.js';
import { checkStore } from './check-store.js';
import { disturb, type Disturbances } from './disturb.js';
import { makeFleet, type Fleet } from './fleet.js';
import { emptyRecord, type RoundRecord, type Violation } from './record.js';
import { countRefetched } from './refetch.js';
import { makeTriggers, type Triggers } from './triggers.js';

const FINAL_MS = 90_000;
const WORKER_GRACE_MS = 10_000;

/** All that belongs to one round. */
interface Stage {
  readonly plan: RoundPlan;
  readonly mark: string;
  readonly folder: string;
  readonly hub: HubBench;
  readonly store: StoreBench;
  readonly fleet: Fleet;
  readonly triggers: Triggers;
  readonly disturbances: Disturbances;
  readonly watch: Watch;
  readonly dirs: readonly WatchedDir[];
  readonly storeHits: () => number;
  readonly log: string[];
}

/** Plays one round: everything goes wrong as planned, then once more without faults, then all is looked at. */
export async function playRound(world: World, plan: RoundPlan): Promise<RoundRecord> {
  const begun = performance.now();
  try {
    const stage = await setStage(world, plan);
    const violations: Violation[] = [];
    try {
      violations.push(...(await act(stage)));
      violations.push(...(await finish(world, stage)));
    } catch (error) {
      violations.push(ownFailure(error));
    }
    return await leave(stage, { violations, begun });
  } catch (error) {
    return emptyRecord(plan, { violations: [ownFailure(error)], ms: Math.round(performance.now() - begun) });
  }
}

/** A mistake of the run itself is told like a violation, and the run goes on. */
function ownFailure(error: unknown): Violation {
  return { kind: 'harness', detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

async function setStage(world: World, plan: RoundPlan): Promise<Stage> {
  const mark = `${String(process.pid)}-${String(plan.seed)}-${String(plan.round)}`;
  const folder = join(world.folder, `round-${String(plan.round)}`);
  await mkdir(folder, { recursive: true });
  const begun = performance.now();
  const log: string[] = [];
  const say = (line: string) => log.push(`${((performance.now() - begun) / 1000).toFixed(2)} s: ${line}`);
  const store = await world.stores.open(plan.store, mark, folder);
  const totalBytes = plan.model.large.reduce((sum, { size }) => sum + size, 0);
  const triggers = makeTriggers(totalBytes);
  const hub = await startHub(plan, triggers.addBytes);
  const dirs = hub.commits.map(({ id, files }) => ({ key: `model/${id}/`, files }));
  const watch = world.reader.watch(store.place, dirs, (dir) => {
    say(`published ${dir}`);
    triggers.addPublished();
  });
  const usesCluster = plan.workers.length > 0;
  const temporal = usesCluster ? await world.temporal() : undefined;
  await temporal?.ensure();
  const env = {
    ...world.env,
    ...store.env,
    HOME: folder,
    HF_ENDPOINT: hub.hub.url,
    [MARKER]: mark,
  };
  const fleet = makeFleet({
    ...{ plan, hub, folder, env },
    storeRoot: store.root,
    temporalAddress: temporal?.address ?? '',
  });
  if (usesCluster) {
    fleet.startWorkers();
    if (!(await within(fleet.workersPoll(), 30_000))) say('the workers do not poll');
  }
  const storeHits = store.proxy === undefined ? () => 0 : prepareProxy(store.proxy, plan, triggers);
  const disturbances = disturb({
    ...{ plan, triggers, fleet, hub },
    temporal: () => {
      if (temporal === undefined) throw new Error('This round has no Temporal server');
      return temporal;
    },
    log: say,
  });
  return { ...{ plan, mark, folder, hub, store, fleet, triggers, disturbances, watch, dirs, storeHits, log } };
}

function prepareProxy(proxy: S3FaultProxy, plan: RoundPlan, triggers: Triggers): () => number {
  watchRequests(proxy, triggers.addRequest);
  proxy.keepLists(plan.staleListMs);
  return injectStoreFaults(proxy, plan.storeFaults);
}

/** Everything at once, until every command has ended well. */
async function act({ plan, fleet, triggers, disturbances }: Stage): Promise<Violation[]> {
  const started = new Set<RunPlan>();
  const running: Promise<void>[] = [];
  const start = (run: RunPlan) => {
    if (started.has(run)) return;
    started.add(run);
    running.push(fleet.drive(run));
  };
  for (const run of plan.runs) {
    triggers.when(run.start, () => {
      start(run);
    });
  }
  const all = async () => {
    // Those that wait for what never came start when the others are through.
    for (let known = 0; known < running.length || started.size < plan.runs.length;) {
      if (known === running.length) for (const run of plan.runs) start(run);
      known = running.length;
      await Promise.all(running);
    }
    await disturbances.settled();
  };
  const inTime = await within(all(), plan.deadlineMs);
  disturbances.end();
  disturbances.wakeAll();
  if (inTime) return [];
  const said = plan.runs.map(({ name }) => `${name}: ${fleet.current(name)?.output().slice(-800) ?? 'never started'}`);
  return [{ kind: 'stuck', detail: `not through after ${String(plan.deadlineMs / 1000)} s. ${said.join('\n')}` }];
}

/** One more run of each Dir without any fault, which must end well. */
async function finish(world: World, { plan, hub, store, fleet, watch, dirs, log }: Stage): Promise<Violation[]> {
  hub.calm();
  store.proxy?.clear();
  if (plan.workers.length > 0) {
    await (await world.temporal()).ensure();
    await within(fleet.workersPoll(), 30_000);
  }
  const violations: Violation[] = [];
  for (const run of finalRuns(plan)) {
    const before = fleet.endings['done'] ?? 0;
    const ended = await within(fleet.drive(run), FINAL_MS);
    const done = (fleet.endings['done'] ?? 0) > before;
    const output = fleet.current(run.name)?.output().slice(-1500) ?? '';
    if (!ended || !done) violations.push({ kind: 'not-completed', detail: `${run.name}, without faults: ${output}` });
  }
  await watch.lookAgain();
  log.push(`endings: ${JSON.stringify(fleet.endings)}`);
  const access = accessStore(store.place);
  try {
    violations.push(...(await checkStore(access, askedDirs(plan, hub, dirs))));
  } finally {
    access.close();
  }
  return violations;
}

/** One for each revision that was asked for. */
function finalRuns({ runs }: RoundPlan): RunPlan[] {
  return [...new Map(runs.map((run) => [run.revision, run])).values()];
}

/** A branch may stand for either commit; then the Dir that it leads to now is the one that must be there. */
function askedDirs(plan: RoundPlan, hub: HubBench, dirs: readonly WatchedDir[]): WatchedDir[] {
  const ids = plan.runs.map(({ revision }) =>
    revision === 'main' ? hub.hub.commitOf('org/model', 'main') : hub.commits[revision]?.id
  );
  return dirs.filter(({ key }) => ids.some((id) => id !== undefined && key.includes(id)));
}

/** Ends everything, and looks for processes that outlived the round. */
async function leave(
  stage: Stage,
  { violations, begun }: { readonly violations: Violation[]; readonly begun: number }
): Promise<RoundRecord> {
  const { plan, fleet, watch, store, hub, folder, disturbances, log } = stage;
  fleet.close();
  disturbances.end();
  const living = fleet.groups().filter((group) => group.running());
  const isWorker = (name: string) => plan.workers.some((worker) => worker.name === name);
  await Promise.all(living.map((group) => endGroup(group, isWorker(group.name) ? WORKER_GRACE_MS : 0)));
  for (const { pid, command } of await findMarked(stage.mark, folder)) {
    violations.push({ kind: 'stray-process', detail: `${String(pid)}: ${command.slice(0, 300)}` });
    signalQuietly(pid, 'SIGKILL');
  }
  const counts = await watch.end();
  violations.push(...watch.findings.map(({ key, offset, ...finding }) => describeFinding(key, offset, finding)));
  const { violations: tooMuch, ...refetched } = countRefetched(plan, {
    ...{ hub, counts: disturbances.counts },
    dirs: stage.dirs.slice(0, plan.runs.some(({ revision }) => revision === 1) ? 2 : 1),
    storeHits: stage.storeHits(),
  });
  violations.push(...tooMuch);
  const { kills, stops, terms, servers, moves, missed } = disturbances.counts;
  const record: RoundRecord = {
    ...{ seed: plan.seed, round: plan.round, store: plan.store, scenario: plan.scenario },
    ms: Math.round(performance.now() - begun),
    ...{ violations, kills, stops, terms, servers, moves, missedEvents: missed },
    faults: hub.hits() + stage.storeHits(),
    retries: Math.max(0, fleet.starts() - plan.runs.length - plan.workers.length - finalRuns(plan).length),
    endings: fleet.endings,
    ...{ checks: counts.checks, objectsRead: counts.objects, ...refetched },
    ...(violations.length === 0 ? {} : { plan, log }),
  };
  await hub.hub.close();
  await store.close();
  await clean(store, folder);
  return record;
}

function describeFinding(
  key: string,
  offset: number | undefined,
  finding: { readonly kind: string; readonly detail: string; readonly time: string }
): Violation {
  const at = offset === undefined ? '' : ` from byte ${String(offset)}`;
  return { ...finding, kind: `reader: ${finding.kind}`, detail: `${key}${at}: ${finding.detail}` };
}

async function clean(store: StoreBench, folder: string): Promise<void> {
  const access = accessStore(store.place);
  await access.clear();
  access.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
