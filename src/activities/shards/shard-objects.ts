import { PrefetchError } from '../../core/errors.js';
import { shardPlanKey, shardRecordKey } from '../../core/layout.js';
import {
  shardPlanSchema,
  shardRecordSchema,
  type ShardPlanDocument,
  type ShardRecord,
} from '../../core/schemas/shard-plan.js';
import type { ShardStep } from '../../core/contract.js';
import { isDtype } from '../../safetensors/index.js';
import { planShards, type ShardPlan } from '../../shard/plan-shards.js';
import type { SourceFile } from '../../shard/layout/source-tensors.js';
import type { ObjectStore, RequestOptions } from '../../storage/object-store.js';
import { encodeJson, readObject } from '../plan-objects.js';

/** The plan that a step belongs to, and its layout where that is known. */
export interface LoadedPlan {
  readonly document: ShardPlanDocument;
  readonly layout: ShardPlan | undefined;
}

const PLANS_KEPT = 4;
const plans = new Map<string, Promise<LoadedPlan | undefined>>();

/** Many steps share one plan, and that of a mixture of experts has megabytes: the last few are kept. */
export async function loadShardPlan(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>,
  options: RequestOptions
): Promise<LoadedPlan> {
  const cacheKey = `${store.root}${dirKey}${planId}`;
  // Without the caller's signal: others wait for the same plan.
  const loading = plans.get(cacheKey) ?? readPlan(store, { dirKey, planId });
  plans.delete(cacheKey);
  plans.set(cacheKey, loading);
  loading.catch(() => plans.delete(cacheKey));
  for (const oldest of plans.keys()) {
    if (plans.size <= PLANS_KEPT) break;
    plans.delete(oldest);
  }
  const plan = await loading;
  options.signal?.throwIfAborted();
  if (plan !== undefined) return plan;
  plans.delete(cacheKey);
  throw new PrefetchError(
    'ObjectChanged',
    `The shard plan ${planId} of ${store.root}${dirKey} is gone: another run published or deleted this Dir. Run it again`
  );
}

async function readPlan(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>
): Promise<LoadedPlan | undefined> {
  const document = await readObject(shardPlanSchema, store, shardPlanKey(dirKey, planId), {});
  return document === undefined ? undefined : { document, layout: layoutOf(document) };
}

/** The layout of a plan's document: it follows from it, byte for byte, in every process. */
export function layoutOf(document: ShardPlanDocument): ShardPlan | undefined {
  if (document.profile === undefined) return undefined;
  const { request, config, source, headDiffers, dtype } = document;
  const { tensorParallelSize: ranks, vllmVersion, maxFileSize, filePattern } = request.args;
  const files = source.weights.map(asSourceFile);
  return planShards({ config, files, ranks, dtype, vllmVersion, maxFileSize, filePattern, headDiffers });
}

function asSourceFile({
  path,
  size,
  headerByteLength,
  tensors,
}: ShardPlanDocument['source']['weights'][number]): SourceFile {
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

export async function readShardRecord(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>,
  name: string,
  options: RequestOptions
): Promise<ShardRecord | undefined> {
  return readObject(shardRecordSchema, store, shardRecordKey(dirKey, planId, name), options);
}

export async function writeShardRecord(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>,
  name: string,
  record: Omit<ShardRecord, 'version' | 'planId'>
): Promise<void> {
  const bytes = encodeJson({ version: 1, planId, ...record } satisfies ShardRecord);
  // What is done is noted whatever happens to the run; the write is bounded by the store's own time-outs.
  await store.put(shardRecordKey(dirKey, planId, name), bytes, { contentType: 'application/json' });
}

/** Names of the records of a plan. */
export const records = {
  part: (part: number) => `part-${String(part)}`,
  modelFiles: 'model-files',
  vllm: 'vllm',
  check: (file: number) => `check-${String(file)}`,
} as const;
