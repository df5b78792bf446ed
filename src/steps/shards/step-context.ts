import type { Manifest, ShardProgress, ShardStep } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import type { ShardPlan } from '../../core/schemas/shard-plan.js';
import { openDir } from '../../dir/open-dir.js';
import { shardFileName } from '../../shard/file-names.js';
import type { RankLayout } from '../../shard/rank-layout.js';
import type { ObjectInfo, ObjectStore } from '../../storage/object-store.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import { openObjects, type OpenedObjects } from '../../transfer/read/open-objects.js';
import type { ActivityDependencies } from '../dependencies.js';
import { loadShardPlan } from './load-shard-plan.js';

/** Small requests of one step: a plan may have thousands of files. */
export const REQUESTS_AT_ONCE = 16;

/** What every step of sharding works with. */
export type StepNeeds = Pick<ActivityDependencies, 'openStore' | 'engine'>;

/** Steps that write need local disk for stores that take no upload parts. */
export type WritingNeeds = StepNeeds & Pick<ActivityDependencies, 'scratchFolder'>;

/** How a step is ended and watched. */
export interface StepOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ShardProgress) => void;
}

/** A step with what it works on. */
export interface StepContext {
  readonly step: ShardStep;
  readonly plan: ShardPlan;
  readonly layout: RankLayout | undefined;
  /** Where the shards go. */
  readonly store: ObjectStore;
  /** Where the checkpoint lies. */
  readonly source: ObjectStore;
}

/** Opens the stores of a step and loads its plan; `ObjectChanged` when the plan is gone. */
export async function openStep(
  { openStore }: Pick<StepNeeds, 'openStore'>,
  step: ShardStep,
  options: { readonly signal: AbortSignal }
): Promise<StepContext> {
  const store = await openStore(step.destination);
  const { plan, layout } = await loadShardPlan(store, step, options);
  return { step, plan, layout, store, source: await openStore(plan.source.root) };
}

/** Another run of the same plan may have published meanwhile: what it published must not be written again. */
export async function isPublished(
  { store, step }: StepContext,
  options: { readonly signal: AbortSignal }
): Promise<boolean> {
  const isOurs = ({ sharding }: Manifest) => sharding?.planId === step.planId;
  const published = await openDir(store, step.dirKey).findIntact(isOurs, { ...options, mayRepair: () => true });
  return published !== undefined;
}

/** The layout of a step that cannot be done without one. */
export function requireLayout({ step, layout }: Pick<StepContext, 'step' | 'layout'>): RankLayout {
  if (layout !== undefined) return layout;
  throw new PrefetchError('Internal', `The shard plan ${step.planId} has no layout`);
}

/** What a step of several like it is about, and its position among those. */
export function requireNumber<T>({ number, planId }: ShardStep, of: readonly T[]): readonly [T, number] {
  const found = number === undefined ? undefined : of[number];
  if (number !== undefined && found !== undefined) return [found, number];
  throw new PrefetchError('Internal', `The shard plan ${planId} has no step ${number ?? 'without a number'}`);
}

/** The weights files of the checkpoint, if they are still those that were planned with. */
export async function openWeights(
  { engine }: Pick<StepNeeds, 'engine'>,
  { plan, source }: StepContext,
  { signal }: { readonly signal: AbortSignal }
): Promise<OpenedObjects> {
  const { dirKey, weights } = plan.source;
  await forEachAtOnce(weights, { limit: REQUESTS_AT_ONCE, signal }, async (file, inner) => {
    refuseChanged(await source.head(`${dirKey}${file.path}`, inner), file, `${source.root}${dirKey}`);
  });
  return openObjects(
    engine.context,
    source,
    weights.map(({ path, size }) => ({ key: `${dirKey}${path}`, size }))
  );
}

/** Fails as `ObjectChanged` where the source is another one by now: its plan is made anew then. */
export function refuseChanged(
  found: ObjectInfo | undefined,
  { path, size, etag }: { readonly path: string; readonly size: number; readonly etag: string },
  place: string
): void {
  if (found?.size === size && found.etag === etag) return;
  throw new PrefetchError('ObjectChanged', `${path} in ${place} is not the file that was planned with. Run it again`);
}

/** The files of all ranks: part after part, and rank after rank in each. */
export function openShards({ engine }: Pick<StepNeeds, 'engine'>, context: StepContext): OpenedObjects {
  const layout = requireLayout(context);
  const objects = layout.parts.flatMap(({ number: part, size }) =>
    Array.from({ length: layout.ranks }, (_, rank) => ({
      key: `${context.step.dirKey}${shardFileName(layout, rank, part)}`,
      size,
    }))
  );
  return openObjects(engine.context, context.store, objects);
}
