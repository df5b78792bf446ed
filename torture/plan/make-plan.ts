import { createHash } from 'node:crypto';
import { random, type Random } from '../../test/helpers/random.js';
import { drawHubFaults, drawStaleLists, drawStoreFaults } from './draw-faults.js';
import type { Drawn } from './draw-parts.js';
import type { ModelPlan, RoundPlan, StoreKind } from './round-plan.js';
import { scenarios, type ScenarioName } from './scenarios.js';

const MiB = 1024 * 1024;

export interface PlanOptions {
  readonly seed: number;
  readonly round: number;
  readonly stores: readonly StoreKind[];
  readonly scenarios: readonly ScenarioName[];
  /** Leaves out what takes minutes: waiting for heartbeats, and lists that are stale for long. */
  readonly short: boolean;
}

/** Draws all choices of a round. Stores and scenarios take turns, so that a few rounds cover many of them. */
export function makePlan({ seed, round, stores, scenarios: names, short }: PlanOptions): RoundPlan {
  const draw = random(
    createHash('sha256')
      .update(`${String(seed)}/${String(round)}`)
      .digest()
      .readUInt32LE(0)
  );
  const store = stores[round % stores.length] ?? 'file';
  // Each time all stores had their turn the scenarios move on by one.
  const scenario = names[(Math.floor(round / stores.length) + (round % stores.length) * 3) % names.length] ?? 'one run';
  const model = drawModel(draw);
  const { flips, ...drawn }: Drawn = scenarios[scenario](draw, { store, short });
  return {
    seed,
    round,
    store,
    scenario,
    model,
    pace: draw.pick([5, 10, 20, 40, 100]) * MiB,
    hubFaults: drawHubFaults(draw, { short, flips }),
    storeFaults: store === 'file' ? [] : drawStoreFaults(draw),
    staleListMs: store === 'file' ? 0 : drawStaleLists(draw, short),
    ...drawn,
  };
}

function drawModel(draw: Random): ModelPlan {
  const count = 2 + draw.int(2);
  const large = Array.from({ length: count }, (_, n) => ({
    path: `model-0000${String(n + 1)}-of-0000${String(count)}.safetensors`,
    size: (11 + draw.int(count === 2 ? 25 : 14)) * MiB + 1 + draw.int(MiB),
  }));
  const small = [
    { path: 'config.json', size: 400 + draw.int(400) },
    { path: 'tokenizer/tokenizer.json', size: 20_000 + draw.int(80_000) },
    { path: 'nested/deeper/notes.txt', size: draw.int(3) * 1000 },
    { path: 'nested/adapter.bin', size: 1 + draw.int(3 * MiB) },
  ];
  const changed = ['config.json', ...(draw.int(3) === 0 ? [large[0]?.path ?? ''] : [])];
  return { small, large, changed };
}
