import type { ShardStep } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import { shardPlanKey } from '../../core/keys.js';
import { shardPlanSchema, type ShardPlan } from '../../core/schemas/shard-plan.js';
import { readJson } from '../../dir/json-objects.js';
import { keepPlans } from '../../dir/kept-plans.js';
import { isDtype } from '../../safetensors/index.js';
import type { WeightsFile } from '../../shard/layout/source-tensors.js';
import { withWayOut } from '../../shard/layout/unsupported.js';
import { layOutRanks, type RankLayout } from '../../shard/rank-layout.js';
import type { ObjectStore, RequestOptions } from '../../storage/object-store.js';

/** The plan that a step belongs to, and its layout where that is known. */
export interface LoadedPlan {
  readonly plan: ShardPlan;
  readonly layout: RankLayout | undefined;
}

const plans = keepPlans<LoadedPlan>();

/** The plan of a step, with the layout that follows from it; `ObjectChanged` when it is gone. */
export async function loadShardPlan(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>,
  options: RequestOptions
): Promise<LoadedPlan> {
  const plan = await plans.get(`${store.root}${dirKey}${planId}`, () => readPlan(store, { dirKey, planId }), options);
  if (plan !== undefined) return plan;
  throw new PrefetchError(
    'ObjectChanged',
    `The shard plan ${planId} of ${store.root}${dirKey} is gone: another run published or deleted this Dir. Run it again`
  );
}

async function readPlan(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>
): Promise<LoadedPlan | undefined> {
  const plan = await readJson(shardPlanSchema, store, shardPlanKey(dirKey, planId), {});
  return plan === undefined ? undefined : { plan, layout: layoutOf(plan) };
}

/** The layout of a plan: it follows from it, byte for byte, in every process. */
export function layoutOf(plan: ShardPlan): RankLayout | undefined {
  if (plan.profile === undefined) return undefined;
  const { request, config, source, headDiffers, dtype } = plan;
  const { tensorParallelSize: ranks, vllmVersion, maxFileSize, filePattern } = request.args;
  const files = source.weights.map(asSourceFile);
  try {
    return layOutRanks({ config, files, ranks, dtype, vllmVersion, maxFileSize, filePattern, headDiffers });
  } catch (error) {
    // A worker of another release may know less than the one that planned.
    return withWayOut(error);
  }
}

function asSourceFile({ path, size, headerByteLength, tensors }: ShardPlan['source']['weights'][number]): WeightsFile {
  return {
    path,
    size,
    header: {
      headerByteLength,
      dataByteLength: size - headerByteLength,
      metadata: undefined,
      tensors: tensors.flatMap(([name, dtype, shape, begin, end]) =>
        isDtype(dtype) ? [{ name, dtype, shape, begin, end }] : []
      ),
    },
  };
}
