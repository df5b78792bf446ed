import { randomBytes } from 'node:crypto';
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
import { withWayOut } from '../../shard/layout/unsupported.js';
import type { ObjectStore, RequestOptions } from '../../storage/object-store.js';
import { keepPlans } from '../kept-plans.js';
import { encodeJson, readObject } from '../plan-objects.js';

/** The plan that a step belongs to, and its layout where that is known. */
export interface LoadedPlan {
  readonly document: ShardPlanDocument;
  readonly layout: ShardPlan | undefined;
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
  const document = await readObject(shardPlanSchema, store, shardPlanKey(dirKey, planId), {});
  return document === undefined ? undefined : { document, layout: layoutOf(document) };
}

/** The layout of a plan's document: it follows from it, byte for byte, in every process. */
export function layoutOf(document: ShardPlanDocument): ShardPlan | undefined {
  if (document.profile === undefined) return undefined;
  const { request, config, source, headDiffers, dtype } = document;
  const { tensorParallelSize: ranks, vllmVersion, maxFileSize, filePattern } = request.args;
  const files = source.weights.map(asSourceFile);
  try {
    return planShards({ config, files, ranks, dtype, vllmVersion, maxFileSize, filePattern, headDiffers });
  } catch (error) {
    // A worker of another release may know less than the one that planned.
    return withWayOut(error);
  }
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

/** What a step noted under a name of `records`; undefined where it did not come that far. */
export async function readShardRecord(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>,
  name: string,
  options: RequestOptions
): Promise<ShardRecord | undefined> {
  return readObject(shardRecordSchema, store, shardRecordKey(dirKey, planId, name), options);
}

/** Notes what a step did, under a name of `records`. */
export async function writeShardRecord(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>,
  name: string,
  record: Omit<ShardRecord, 'version' | 'planId' | 'id'>
): Promise<void> {
  const id = randomBytes(8).toString('hex');
  const bytes = encodeJson({ version: 1, planId, id, ...record } satisfies ShardRecord);
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
