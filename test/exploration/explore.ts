import { growTree, startNow } from './process-tree.js';
import { finish } from './final-run.js';
import { isFinal, keyOf, tell, type Actor, type Event, type Moment, type Move, type Setting } from './moment.js';
import { movesAt } from './moves.js';
import { lookAt } from './reader.js';
import type { Bounds, Scenario } from './scenario.js';
import { countSchedules, recordEdges } from './schedules.js';
import { FIRST_STEP } from './steps.js';
import type { StoreKind } from './store-kind.js';
import type { StoreState } from './store-state.js';

/** What an exploration saw. */
export interface Outcome {
  readonly scenario: string;
  readonly store: string;
  readonly bounds: Bounds;
  /** All that can happen within the bounds was seen. */
  readonly complete: boolean;
  readonly states: number;
  readonly schedules: number;
  /** Different places in the package's code. */
  readonly places: number;
  readonly replays: number;
  /** How runs ended. */
  readonly ends: Readonly<Record<string, number>>;
  readonly violations: Readonly<Record<string, Violation>>;
  readonly seconds: number;
}

export interface Violation {
  readonly count: number;
  /** The shortest schedule that leads there. */
  readonly schedule: readonly string[];
}

export interface Limits {
  readonly seconds: number;
  readonly states: number;
  /** Sorts of violations of which one is enough. */
  readonly until: readonly string[];
}

interface Visit {
  readonly number: number;
  readonly moment: Moment;
  readonly trace: Trace | undefined;
}

interface Trace {
  readonly event: Event;
  readonly before: Trace | undefined;
}

/** Goes through all that can happen, nearest first; moments that are equal are gone on from once. */
export async function explore(scenario: Scenario, kind: StoreKind, limits: Limits): Promise<Outcome> {
  const began = performance.now();
  const tree = growTree({ kind, repo: scenario.repo });
  const setting: Setting = { scenario, kind, tree };
  const before = scenario.before(kind);
  const violations = new Map<string, { count: number; readonly schedule: readonly string[] }>();
  const ends = new Map<string, number>();
  const looked = new Map<StoreState, readonly string[]>();
  const look = (store: StoreState): readonly string[] => {
    const found = looked.get(store) ?? lookAt(store, before);
    looked.set(store, found);
    return found;
  };
  const edges = recordEdges();
  const known = new Map<string, number>();
  const queue: (Visit | undefined)[] = [];

  const note = (fault: string, trace: Trace | undefined): void => {
    const sort = fault.slice(0, fault.indexOf(':'));
    const found = violations.get(sort);
    if (found === undefined) violations.set(sort, { count: 1, schedule: [...scheduleOf(trace), `=> ${fault}`] });
    else found.count++;
  };
  /** Whether the exploration goes on from there. */
  const judge = ({ moment, faults, end }: Move, trace: Trace): boolean => {
    const all = [...faults, ...look(moment.store)];
    if (end !== undefined) {
      const { writer, code, text } = end;
      ends.set(code, (ends.get(code) ?? 0) + 1);
      const expected = code === 'hit' || code === 'published' || scenario.mayEnd?.some((each) => each === code);
      if (expected !== true) all.push(`failed: ${writer} ends as ${code}: ${text}`);
    }
    for (const fault of all) note(fault, trace);
    return all.length === 0;
  };

  const first = await firstMoment(setting);
  known.set(keyOf(first), 0);
  queue.push({ number: 0, moment: first, trace: undefined });
  let stopped = false;
  for (let position = 0; position < queue.length && !stopped; position++) {
    const visit = queue[position];
    if (visit === undefined) break;
    const { number, moment, trace } = visit;
    // What was gone on from is remembered by its key only.
    queue[position] = undefined;
    for (const move of await movesAt(setting, moment)) {
      const next = { event: move.event, before: trace };
      if (!judge(move, next)) continue;
      const key = keyOf(move.moment);
      const found = known.get(key);
      edges.add(number, found ?? known.size);
      if (found !== undefined) continue;
      queue.push({ number: known.size, moment: move.moment, trace: next });
      known.set(key, known.size);
    }
    if (isFinal(moment)) for (const fault of await finish(setting, moment, before)) note(fault, trace);
    const seconds = (performance.now() - began) / 1000;
    const enough = limits.until.some((sort) => violations.has(sort));
    stopped = enough || seconds > limits.seconds || known.size > limits.states;
  }
  return {
    scenario: scenario.name,
    store: kind.name,
    bounds: scenario.bounds,
    complete: !stopped,
    states: known.size,
    schedules: stopped ? Number.NaN : countSchedules(edges, known.size),
    places: tree.counts.nodes,
    replays: tree.counts.replays,
    ends: Object.fromEntries(ends),
    violations: Object.fromEntries(violations),
    seconds: (performance.now() - began) / 1000,
  };
}

async function firstMoment({ scenario, kind, tree }: Setting): Promise<Moment> {
  const actors: Actor[] = [];
  for (const writer of scenario.writers) {
    const at = { writer, step: FIRST_STEP, attempt: 0 };
    actors.push({ ...at, node: await startNow(tree, at), stalled: false });
  }
  const left = { ...scenario.bounds, switches: scenario.bounds.switches ?? Infinity };
  return { store: scenario.before(kind), earlier: undefined, actors, left, last: '' };
}

function scheduleOf(trace: Trace | undefined): string[] {
  const labels: string[] = [];
  for (let at = trace; at !== undefined; at = at.before) labels.unshift(tell(at.event));
  return labels;
}
