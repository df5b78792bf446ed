import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import type { PrefetchInput } from '../../src/core/contract.js';
import type { ProcessSettings, RoundPlan, RunPlan, WorkerPlan } from '../plan/round-plan.js';
import { REPO, type HubBench } from '../world/hub-bench.js';
import { startGroup, type ProcessGroup } from '../world/process-groups.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const MOST_STARTS = 15;

/** The processes of a round: commands that are started again until they end well, and workers that always run. */
export interface Fleet {
  /** Starts a command and keeps at it; ends when it ended well or the round is over. */
  readonly drive: (run: RunPlan) => Promise<void>;
  readonly startWorkers: () => void;
  /** Waits until every worker polls. */
  readonly workersPoll: () => Promise<void>;
  /** The process of a run or worker that runs now. */
  readonly current: (name: string) => ProcessGroup | undefined;
  readonly homeOf: (name: string) => string | undefined;
  readonly inputOf: (run: RunPlan) => PrefetchInput;
  readonly starts: () => number;
  /** How commands ended, and how often. */
  readonly endings: Readonly<Record<string, number>>;
  readonly groups: () => readonly ProcessGroup[];
  /** Nothing is started any more. */
  readonly close: () => void;
}

export interface FleetOptions {
  readonly plan: RoundPlan;
  readonly hub: HubBench;
  readonly folder: string;
  /** For every process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly storeRoot: string;
  readonly temporalAddress: string;
}

export function makeFleet(options: FleetOptions): Fleet {
  const { plan, hub, folder } = options;
  const groups = new Set<ProcessGroup>();
  const current = new Map<string, ProcessGroup>();
  const starts = new Map<string, number>();
  const endings: Record<string, number> = {};
  let over = false;
  const start = (name: string, args: readonly string[], env: Readonly<Record<string, string>>) => {
    starts.set(name, (starts.get(name) ?? 0) + 1);
    const program = process.execPath;
    const group = startGroup({ name, program, args: [MAIN, ...args], env: { ...options.env, ...env }, cwd: folder });
    groups.add(group);
    current.set(name, group);
    return group;
  };
  const inputOf = ({ revision, force }: RunPlan): PrefetchInput => ({
    repo: REPO,
    ...(revision === 'main' ? {} : { revision: hub.commits[revision]?.id ?? '' }),
    ...(force === undefined ? {} : { force }),
  });
  const runArguments = (run: RunPlan) => {
    const { revision, force } = inputOf(run);
    const flags = [
      ...(revision === undefined ? [] : ['--revision', revision]),
      ...(force === undefined ? [] : ['--force', String(force)]),
      ...('namespace' in run.place ? ['--wait'] : []),
    ];
    return ['hf-model', REPO, '--output', 'json', ...flags];
  };
  return {
    inputOf,
    endings,
    current: (name) => current.get(name),
    groups: () => [...groups],
    starts: () => [...starts.values()].reduce((sum, count) => sum + count, 0),
    homeOf: (name) => (plan.homes.some((home) => home.name === name) ? join(folder, `home-${name}`) : undefined),
    close: () => {
      over = true;
    },
    drive: async (run) => {
      for (let tries = 0; !over && tries < MOST_STARTS; tries++) {
        const group = start(run.name, runArguments(run), placeOf(options, run, starts.get(run.name) ?? 0));
        const end = await group.ended;
        const name = typeof end === 'string' ? end : (failureCode(end, group.output()) ?? String(end));
        endings[name] = (endings[name] ?? 0) + 1;
        if (end === 0) return;
        await delay(100);
      }
    },
    startWorkers: () => {
      for (const worker of plan.workers) {
        const keep = async () => {
          while (!over) {
            const group = start(worker.name, ['worker'], workerPlace(options, worker, starts.get(worker.name) ?? 0));
            await group.ended;
            await delay(50);
          }
        };
        void keep();
      }
    },
    workersPoll: async () => {
      const polls = ({ name }: WorkerPlan) => current.get(name)?.output().includes('Polling') === true;
      while (!over && !plan.workers.every(polls)) await delay(25);
    },
  };
}

function placeOf(options: FleetOptions, { place }: RunPlan, start: number): Record<string, string> {
  if ('namespace' in place) return clusterEnvironment(options, place.namespace);
  const home = options.plan.homes.find(({ name }) => name === place.home);
  return { MODEL_PREFETCH_HOME: join(options.folder, `home-${place.home}`), ...settingsOf(options, home, start) };
}

function workerPlace(options: FleetOptions, worker: WorkerPlan, start: number): Record<string, string> {
  return { ...clusterEnvironment(options, worker.namespace), ...settingsOf(options, worker, start) };
}

function clusterEnvironment({ plan, temporalAddress }: FleetOptions, namespace: string): Record<string, string> {
  return {
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: namespace,
    // A queue of its own: what an earlier round left behind is nobody's work.
    MODEL_PREFETCH_TASK_QUEUE: `torture-${String(plan.seed)}-${String(plan.round)}`,
  };
}

function settingsOf(
  { folder, storeRoot }: FleetOptions,
  place: { readonly name: string; readonly settings: readonly ProcessSettings[] } | undefined,
  start: number
): Record<string, string> {
  const settings = place?.settings[start % place.settings.length];
  if (place === undefined || settings === undefined) return {};
  return {
    MODEL_PREFETCH_STORE: storeRoot,
    MODEL_PREFETCH_SCRATCH: join(folder, `scratch-${place.name}`),
    MODEL_PREFETCH_PART_SIZE: `${String(settings.partMiB)}MiB`,
    MODEL_PREFETCH_LANES: String(settings.lanes),
    MODEL_PREFETCH_MEMORY: `${String(settings.memoryMiB)}MiB`,
    MODEL_PREFETCH_TRANSFER: settings.transfer,
  };
}

/** The code that a command failed with: its last words begin with it, as lines of progress begin with a phase. */
function failureCode(end: number, output: string): string | undefined {
  if (end === 0) return 'done';
  if (end === 130) return 'Interrupted';
  const codes = [...output.matchAll(/^([A-Z][a-z]+[A-Z]\w+|Internal|Cancelled): /gm)].map(([, code]) => code);
  return codes.at(-1);
}
