import { PrefetchError } from '../../core/errors.js';
import { plansPrefix } from '../../core/keys.js';
import type { Manifest } from '../../core/schemas/manifest.js';
import type { ShardPlan } from '../../core/schemas/shard-plan.js';
import type { DirObjects } from '../../dir/dir-objects.js';
import { sideFiles } from '../../hub/vllm-files.js';
import { shardFileNames, type RankLayout } from '../../shard/rank-layout.js';

/** What lies where somebody wants shards, and what they are to be. */
export interface NamedTarget {
  readonly plan: ShardPlan;
  readonly layout: RankLayout | undefined;
  readonly objects: DirObjects;
  readonly place: string;
  /** Whether an attempt of this plan was here before. */
  readonly begun: boolean;
}

/** A folder that somebody named may hold anything; shards among other files would be loaded with them. */
export function refuseForeign(
  { plan, layout, objects, place, begun }: NamedTarget,
  published: Manifest | undefined
): void {
  const isOurs = published?.sharding?.planId === plan.planId;
  if (published !== undefined && !isOurs && plan.force === undefined) {
    throw new PrefetchError(
      'InvalidInput',
      `${place} holds another Dir already (${describeDir(published)}): choose another --to, or write it anew with --force`
    );
  }
  // How many parts vLLM writes is not known before; what is too many is removed before the Dir is published.
  if (layout === undefined && begun) return;
  const ours = new Set([
    ...(layout === undefined ? [] : shardFileNames(layout)),
    ...sideFiles(plan.source.others).map(({ path }) => path),
  ]);
  const foreign = [...objects.keys()].filter((path) => !path.startsWith(plansPrefix('')) && !ours.has(path));
  if (foreign.length === 0) return;
  throw new PrefetchError(
    'InvalidInput',
    `${place} holds files that are no part of these shards (${foreign.slice(0, 3).join(', ')}${foreign.length > 3 ? ', …' : ''}): ` +
      'choose an empty folder for --to'
  );
}

function describeDir({ repo, sharding }: Manifest): string {
  if (sharding === undefined) return repo;
  return `${repo}, tensorParallelSize ${sharding.tensorParallelSize}, ${sharding.dtype}, engine ${sharding.engine}`;
}
