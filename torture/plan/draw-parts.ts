import type { Random } from '../../test/helpers/random.js';
import type {
  EventPlan,
  HomePlan,
  ProcessSettings,
  RoundPlan,
  RunPlan,
  StoreKind,
  StoreOp,
  Trigger,
  WorkerPlan,
} from './round-plan.js';

/** What a scenario decides of a plan. */
export type Drawn = Pick<RoundPlan, 'homes' | 'workers' | 'runs' | 'events' | 'afterLoss' | 'deadlineMs'> & {
  /** So many answers with a wrong byte more; 0 for none at all. */
  readonly flips?: number;
};

/** What a scenario has to know. */
export interface Setting {
  readonly store: StoreKind;
  readonly short: boolean;
}

export function home(name: string, settings: readonly ProcessSettings[]): HomePlan {
  return { name, settings };
}

export function worker(name: string, namespace: string, settings: readonly ProcessSettings[]): WorkerPlan {
  return { name, namespace, settings };
}

/** One kind of settings for all starts of a process, or another for each. */
export function settingsList(draw: Random, changing: boolean): ProcessSettings[] {
  return Array.from({ length: changing ? 4 : 1 }, () => ({
    partMiB: draw.pick([5, 8]),
    lanes: draw.pick([1, 2, 3, 4]),
    memoryMiB: draw.pick([32, 32, 64]),
    transfer: draw.int(6) === 0 ? 'download-upload' : 'stream',
  }));
}

/** A run in a home of the same name, of the branch or of its commit. */
export function embeddedRun(draw: Random, name: string, { start }: Pick<RunPlan, 'start'>): RunPlan {
  return { name, place: { home: name }, revision: draw.pick<RunPlan['revision']>(['main', 0]), start };
}

export function share(draw: Random, from: number, to: number): Trigger & { readonly kind: 'bytes' } {
  return { kind: 'bytes', share: Math.round((from + ((to - from) * draw.int(1000)) / 1000) * 1000) / 1000 };
}

const MOMENTS: [StoreOp, ...StoreOp[]] = ['create', 'part', 'complete', 'complete', 'put', 'manifest', 'delete'];

/** Mostly by bytes; else when a manifest has come to stand, or just before the store hears of something. */
export function anyTrigger(draw: Random, store: StoreKind, reach = 1): Trigger {
  const kind = draw.int(8);
  if (kind === 0) return { kind: 'published', dirs: 1 };
  if (kind < 4 && store !== 'file') {
    const op = draw.pick(MOMENTS);
    return { kind: 'store', op, nth: 1 + draw.int(op === 'part' || op === 'put' ? 8 : 2) };
  }
  return share(draw, 0, reach);
}

/** One to three losses, in the order of their moments. */
export function eventsOn(
  draw: Random,
  options: {
    readonly targets: readonly string[];
    readonly store: StoreKind;
    readonly actions: readonly [EventPlan['action'], ...EventPlan['action'][]];
    readonly least?: number;
    readonly reach?: number;
  }
): EventPlan[] {
  const { targets, store, actions, least = 1, reach = 1 } = options;
  const events = Array.from({ length: least + draw.int(3) }, (): EventPlan => {
    const target = draw.pick(targets as [string, ...string[]]);
    const at = anyTrigger(draw, store, reach);
    if (target === 'temporal') return { at, action: 'kill', target };
    const action = draw.pick(actions);
    if (action !== 'stop') return { at, action, target };
    const wake = draw.pick<Trigger>([{ kind: 'published', dirs: 1 }, share(draw, 0.5, 1.5), share(draw, 1, 2)]);
    return { at, action, target, wake };
  });
  const moment = ({ at }: EventPlan) => (at.kind === 'bytes' ? at.share : 1);
  return events.sort((a, b) => moment(a) - moment(b));
}
