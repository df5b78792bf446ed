import type { Random } from '../../test/helpers/random.js';
import {
  anyTrigger,
  embeddedRun,
  eventsOn,
  home,
  settingsList,
  share,
  worker,
  type Drawn,
  type Setting,
} from './draw-parts.js';
import type { RunPlan, Trigger } from './round-plan.js';

export type ScenarioName = keyof typeof scenarios;

/** What a round is about: which commands run where, and who is killed or stopped. */
export const scenarios = {
  'one run': (draw: Random, { store }: Setting): Drawn => ({
    ...embedded(draw, 1),
    runs: [embeddedRun(draw, 'a', { start: { kind: 'at-once' } })],
    events: eventsOn(draw, { targets: ['a'], store, actions: ['kill', 'kill', 'power', 'term', 'kill-server'] }),
  }),

  'changed settings': (draw: Random, { store }: Setting): Drawn => ({
    ...embedded(draw, 1, true),
    // What a wrong byte costs would hide what is thrown away.
    flips: 0,
    runs: [embeddedRun(draw, 'a', { start: { kind: 'at-once' } })],
    events: eventsOn(draw, { targets: ['a'], store, actions: ['kill', 'power', 'term'], least: 2 }),
  }),

  'two homes': (draw: Random, { store }: Setting): Drawn => ({
    ...embedded(draw, 2, draw.int(2) === 0),
    runs: [embeddedRun(draw, 'a', { start: { kind: 'at-once' } }), embeddedRun(draw, 'b', { start: anyStart(draw) })],
    events: eventsOn(draw, { targets: ['a', 'b'], store, actions: ['kill', 'kill', 'power', 'term', 'stop'] }),
  }),

  'three homes': (draw: Random, { store }: Setting): Drawn => ({
    ...embedded(draw, 3, draw.int(2) === 0),
    runs: [
      embeddedRun(draw, 'a', { start: { kind: 'at-once' } }),
      embeddedRun(draw, 'b', { start: anyStart(draw) }),
      embeddedRun(draw, 'c', { start: anyStart(draw) }),
    ],
    events: eventsOn(draw, { targets: ['a', 'b', 'c'], store, actions: ['kill', 'kill', 'stop'] }),
  }),

  /**
   * One is killed and takes up its own upload again while the other sleeps. Then they mostly change places, so that the
   * first ends what it resumed after the other has published.
   */
  'overtaken writer': (draw: Random): Drawn => {
    const at = share(draw, 0.15, 1.1);
    const wake = share(draw, at.share + 0.05, at.share + 0.8);
    return {
      ...embedded(draw, 2),
      flips: 3,
      // The newest upload is taken up again: that of the one which was started last, mostly.
      runs: [
        embeddedRun(draw, 'b', { start: { kind: 'at-once' } }),
        embeddedRun(draw, 'a', { start: { kind: 'at-once' } }),
      ],
      events: [
        { at, action: draw.pick(['kill', 'power']), target: 'a' },
        { at, action: 'stop', target: 'b', wake },
        ...(draw.int(4) === 0
          ? []
          : [{ at: wake, action: 'stop', target: 'a', wake: { kind: 'published', dirs: 1 } } as const]),
      ],
    };
  },

  'stalled writer': (draw: Random, { store }: Setting): Drawn => {
    const at = draw.int(4) === 0 ? anyTrigger(draw, store) : share(draw, 0.1, 0.9);
    const wake = draw.pick<Trigger>([
      { kind: 'published', dirs: 1 },
      { kind: 'published', dirs: 1 },
      share(draw, 1, 1.6),
    ]);
    return {
      ...embedded(draw, 2),
      flips: 4,
      runs: [
        embeddedRun(draw, 'a', { start: { kind: 'at-once' } }),
        // The other one takes over what the first had begun.
        embeddedRun(draw, 'b', { start: at }),
      ],
      events: [{ at, action: 'stop', target: 'a', wake }],
    };
  },

  force: (draw: Random, { store }: Setting): Drawn => ({
    ...embedded(draw, 2),
    runs: [
      embeddedRun(draw, 'a', { start: { kind: 'at-once' } }),
      {
        ...embeddedRun(draw, 'b', {
          start: draw.pick<Trigger>([{ kind: 'at-once' }, share(draw, 0.2, 0.9), { kind: 'published', dirs: 1 }]),
        }),
        force: 1 + draw.int(1000),
      },
    ],
    events: eventsOn(draw, { targets: ['a', 'b', 'b'], store, actions: ['kill', 'kill', 'stop'], reach: 1.9 }),
  }),

  'moved branch': (draw: Random, { store }: Setting): Drawn => {
    const runs: RunPlan[] = [
      { ...embeddedRun(draw, 'a', { start: { kind: 'at-once' } }), revision: 'main' },
      {
        ...embeddedRun(draw, 'b', {
          start: draw.pick<Trigger>([{ kind: 'published', dirs: 1 }, share(draw, 0.3, 0.95)]),
        }),
        revision: 1,
      },
    ];
    return {
      ...embedded(draw, 2),
      runs,
      events: [
        {
          at: draw.pick<Trigger>([share(draw, 0.1, 0.95), { kind: 'published', dirs: 1 }]),
          action: 'move-branch',
          target: '',
        },
        ...eventsOn(draw, { targets: ['a', 'b', 'b'], store, actions: ['kill', 'kill', 'stop'], reach: 1.3 }),
      ],
    };
  },

  workers: (draw: Random, { store }: Setting): Drawn => ({
    ...cluster(draw, ['default', 'default']),
    runs: [
      clusterRun('a', 'default', { revision: 'main', start: { kind: 'at-once' } }),
      ...(draw.int(2) === 0 ? [clusterRun('b', 'default', { revision: 0, start: anyStart(draw) })] : []),
    ],
    events: eventsOn(draw, {
      targets: ['worker-1', 'worker-2', 'worker-1', 'worker-2', 'temporal', 'a'],
      store,
      actions: ['kill', 'kill', 'term', 'stop'],
    }),
  }),

  'two namespaces': (draw: Random, { store }: Setting): Drawn => ({
    ...cluster(draw, ['default', 'second']),
    runs: [
      clusterRun('a', 'default', { revision: 'main', start: { kind: 'at-once' } }),
      clusterRun('b', 'second', { revision: draw.pick<RunPlan['revision']>(['main', 0]), start: anyStart(draw) }),
    ],
    events: eventsOn(draw, {
      targets: ['worker-1', 'worker-2', 'worker-1', 'worker-2', 'temporal'],
      store,
      actions: ['kill', 'kill', 'stop', 'stop', 'term'],
    }),
  }),

  'force on a cluster': (draw: Random, { store }: Setting): Drawn => ({
    ...cluster(draw, ['default', 'default']),
    runs: [
      clusterRun('a', 'default', { revision: draw.pick<RunPlan['revision']>(['main', 0]), start: { kind: 'at-once' } }),
      clusterRun('b', 'default', {
        revision: draw.pick<RunPlan['revision']>(['main', 0]),
        start: draw.pick<Trigger>([{ kind: 'at-once' }, { kind: 'published', dirs: 1 }]),
        force: 1 + draw.int(1000),
      }),
    ],
    events: eventsOn(draw, {
      targets: ['worker-1', 'worker-2'],
      store,
      actions: ['kill', 'kill', 'term', 'stop'],
      reach: 1.9,
    }),
  }),

  /** The only one that sits out the minute until a worker's silence is noticed. */
  'missed heartbeat': (draw: Random): Drawn => ({
    ...cluster(draw, ['default', 'default']),
    afterLoss: 'heartbeat',
    deadlineMs: 300_000,
    runs: [clusterRun('a', 'default', { revision: 'main', start: { kind: 'at-once' } })],
    events: ['worker-1', 'worker-2'].slice(draw.int(2), 2).map((target) => ({
      at: share(draw, 0.1, 0.9),
      action: draw.pick(['stop', 'stop', 'kill']),
      target,
      wake: { kind: 'published', dirs: 1 },
    })),
  }),
} as const satisfies Record<string, (draw: Random, setting: Setting) => Drawn>;

/** Scenarios in the order of their turns. */
export function scenarioNames(short: boolean): ScenarioName[] {
  return (Object.keys(scenarios) as ScenarioName[]).filter((name) => !short || name !== 'missed heartbeat');
}

const QUICK = { afterLoss: 'terminate', deadlineMs: 180_000 } as const;

function embedded(
  draw: Random,
  count: number,
  changing = false
): Pick<Drawn, 'homes' | 'workers' | keyof typeof QUICK> {
  const homes = ['a', 'b', 'c'].slice(0, count).map((name) => home(name, settingsList(draw, changing)));
  return { ...QUICK, homes, workers: [] };
}

function cluster(draw: Random, namespaces: readonly string[]): Pick<Drawn, 'homes' | 'workers' | keyof typeof QUICK> {
  const changing = draw.int(3) === 0;
  const workers = namespaces.map((namespace, n) =>
    worker(`worker-${String(n + 1)}`, namespace, settingsList(draw, changing))
  );
  return { ...QUICK, homes: [], workers };
}

function clusterRun(
  name: string,
  namespace: string,
  run: Pick<RunPlan, 'revision' | 'start'> & { readonly force?: number }
): RunPlan {
  return { name, place: { namespace }, ...run };
}

function anyStart(draw: Random): RunPlan['start'] {
  return draw.pick<Trigger>([{ kind: 'at-once' }, { kind: 'at-once' }, share(draw, 0.05, 0.9)]);
}
