import { batchRecordKey, isPlanObject, planKey, plansPrefix } from '../core/keys.js';
import { batchRecordSchema, planSchema, type BatchRecord, type Plan } from '../core/schemas/plan.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import { mapAtOnce } from '../tasks/for-each-at-once.js';
import { readJson } from './json-objects.js';

const READS_AT_ONCE = 16;

/** The plan of a run, or undefined where there is none that can be read. */
export async function readPlan(
  store: ObjectStore,
  dirKey: string,
  planId: string,
  options: RequestOptions
): Promise<Plan | undefined> {
  return readJson(planSchema, store, planKey(dirKey, planId), options);
}

/** What one batch of a plan verified so far. */
export async function readBatchRecord(
  store: ObjectStore,
  key: { readonly dirKey: string; readonly planId: string; readonly batch: number },
  options: RequestOptions
): Promise<BatchRecord | undefined> {
  return readJson(batchRecordSchema, store, batchRecordKey(key.dirKey, key.planId, key.batch), options);
}

/** What the batches of a plan verified so far. */
export async function readBatchRecords(
  store: ObjectStore,
  dirKey: string,
  plan: Plan,
  options: RequestOptions
): Promise<BatchRecord['verified']> {
  const { planId, batches } = plan;
  const records = await mapAtOnce(batches.keys(), { limit: READS_AT_ONCE, ...options }, (batch, inner) =>
    readBatchRecord(store, { dirKey, planId, batch }, inner)
  );
  return records.flatMap((record) => record?.verified ?? []);
}

/** Removes all plans of a Dir and the records of their batches: once it is published, nobody needs them any more. */
export async function removePlans(store: ObjectStore, dirKey: string, options: RequestOptions): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of store.list(plansPrefix(dirKey), options)) if (isPlanObject(dirKey, key)) keys.push(key);
  await store.deleteMany(keys, options);
}
