import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventPlan, RoundPlan } from '../plan/round-plan.js';
import { REPO, type HubBench } from '../world/hub-bench.js';
import { signalQuietly, type ProcessGroup } from '../world/process-groups.js';
import type { TemporalServer } from '../world/temporal-server.js';
import type { Fleet } from './fleet.js';
import type { Triggers } from './triggers.js';

/** What was done to the processes of a round. */
export interface Disturbances {
  readonly counts: {
    readonly kills: number;
    readonly stops: number;
    readonly terms: number;
    readonly servers: number;
    readonly moves: number;
    /** Came when their target did not run, or never. */
    readonly missed: number;
  };
  /** Wakes what still sleeps. */
  readonly wakeAll: () => void;
  /** Waits for what a disturbance brings with it, such as the start of the Temporal server. */
  readonly settled: () => Promise<void>;
  /** Nothing more happens. */
  readonly end: () => void;
}

export interface DisturbOptions {
  readonly plan: RoundPlan;
  readonly triggers: Triggers;
  readonly fleet: Fleet;
  readonly hub: HubBench;
  readonly temporal: () => TemporalServer;
  readonly log: (line: string) => void;
}

/** Longest time in which nothing is seen before sleepers are woken: the rest may be waiting for them. */
const IDLE_MS = { alone: 1_000, cluster: 6_000, others: 25_000, heartbeat: 150_000 };

/** Prepares all events of a plan; each happens in the moment of its trigger. */
export function disturb(options: DisturbOptions): Disturbances {
  const { plan, triggers, log } = options;
  const counts = { kills: 0, stops: 0, terms: 0, servers: 0, moves: 0, missed: plan.events.length };
  const asleep = new Set<ProcessGroup>();
  const aftermath: Promise<void>[] = [];
  let over = false;
  const wake = (group: ProcessGroup) => {
    if (!asleep.delete(group)) return;
    log(`${group.name} wakes`);
    group.signal('SIGCONT');
  };
  for (const event of plan.events) {
    triggers.when(event.at, () => {
      if (over) return;
      const done = happen(event, { ...options, counts, asleep, aftermath });
      if (!done) return;
      counts.missed -= 1;
      log(`${event.action} ${event.target} at ${JSON.stringify(event.at)}, ${String(triggers.bytes())} bytes`);
      const group = options.fleet.current(event.target);
      if (event.action === 'stop' && event.wake !== undefined && group !== undefined) {
        triggers.when(event.wake, () => {
          wake(group);
        });
      }
    });
  }
  const timer = setInterval(() => {
    if (asleep.size > 0 && triggers.idleMs() > patience(options, asleep)) for (const group of asleep) wake(group);
  }, 250);
  return {
    counts,
    wakeAll: () => {
      for (const group of asleep) wake(group);
    },
    settled: async () => {
      // What comes in the meantime is waited for too.
      for (const one of aftermath) await one;
    },
    end: () => {
      over = true;
      clearInterval(timer);
    },
  };
}

/** An embedded command gets on without the others, however long it takes to start. */
function patience({ plan, fleet }: DisturbOptions, asleep: ReadonlySet<ProcessGroup>): number {
  if (plan.afterLoss === 'heartbeat') return IDLE_MS.heartbeat;
  if (plan.workers.length > 0) return IDLE_MS.cluster;
  const groups = plan.runs.map(({ name }) => fleet.current(name));
  return groups.some((group) => group?.running() === true && !asleep.has(group)) ? IDLE_MS.others : IDLE_MS.alone;
}

interface Happening extends DisturbOptions {
  readonly counts: { -readonly [K in keyof Disturbances['counts']]: number };
  readonly asleep: Set<ProcessGroup>;
  readonly aftermath: Promise<void>[];
}

/** False where there is nobody to do it to. */
function happen({ action, target }: EventPlan, happening: Happening): boolean {
  const { fleet, hub, temporal, counts, asleep, aftermath } = happening;
  if (action === 'move-branch') {
    hub.hub.moveBranch(REPO, 'main', 1);
    counts.moves += 1;
    return true;
  }
  if (target === 'temporal') {
    temporal().kill();
    counts.servers += 1;
    aftermath.push(handled(temporal().ensure()));
    return true;
  }
  const group = fleet.current(target);
  if (group?.running() !== true) return false;
  switch (action) {
    case 'stop':
      group.signal('SIGSTOP');
      asleep.add(group);
      counts.stops += 1;
      return true;
    case 'term':
      group.signal('SIGTERM');
      counts.terms += 1;
      return true;
    case 'kill-server':
      counts.servers += 1;
      return killServerOf(fleet.homeOf(target));
    default:
      group.signal('SIGKILL');
      asleep.delete(group);
      counts.kills += 1;
      if (action === 'power') killServerOf(fleet.homeOf(target));
      aftermath.push(handled(replaceLost(target, happening)));
      return true;
  }
}

/** Whoever waits for it at the end of the round hears of a failure; until then nobody listens. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}

/** The server that an embedded command started, by the record that it keeps in its home. */
function killServerOf(home: string | undefined): boolean {
  if (home === undefined) return false;
  try {
    const { pid } = JSON.parse(readFileSync(join(home, 'temporal', 'server.json'), 'utf8')) as { pid?: unknown };
    if (typeof pid !== 'number' || !readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').includes(home)) return false;
    signalQuietly(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

/** Nobody hears of a killed worker before a minute is over; mostly its runs are ended, and their commands start anew. */
async function replaceLost(target: string, { plan, fleet, temporal }: Happening): Promise<void> {
  const worker = plan.workers.find(({ name }) => name === target);
  if (worker === undefined || plan.afterLoss === 'heartbeat') return;
  const { namespace } = worker;
  const runs = plan.runs.filter(({ place }) => 'namespace' in place && place.namespace === namespace);
  await Promise.all(runs.map((run) => temporal().terminate(namespace, fleet.inputOf(run))));
}
