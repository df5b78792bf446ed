import { batchRecordKey, isPlanObject, planKey, plansPrefix } from '../core/layout.js';
import { batchRecordSchema, planSchema, type BatchRecord, type Plan } from '../core/schemas/plan.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import { mapAtOnce } from '../tasks/for-each-at-once.js';
import { parseJson } from './published-dir.js';

const READS_AT_ONCE = 16;

/** The plan with this id; undefined where it is gone or cannot be read, and has to be made anew. */
export async function readPlan(
  store: ObjectStore,
  dirKey: string,
  planId: string,
  options: RequestOptions
): Promise<Plan | undefined> {
  return readObject(planSchema, store, planKey(dirKey, planId), options);
}

/** What a batch verified so far; undefined where nothing was noted. */
export async function readBatchRecord(
  store: ObjectStore,
  key: { readonly dirKey: string; readonly planId: string; readonly batch: number },
  options: RequestOptions
): Promise<BatchRecord | undefined> {
  return readObject(batchRecordSchema, store, batchRecordKey(key.dirKey, key.planId, key.batch), options);
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

/** The value as the UTF-8 of its JSON, as plans and records lie in the store. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Removes all plans of a Dir and the records of their batches: once it is published, nobody needs them any more. */
export async function removePlans(store: ObjectStore, dirKey: string, options: RequestOptions): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of store.list(plansPrefix(dirKey), options)) if (isPlanObject(dirKey, key)) keys.push(key);
  for (const key of keys) await store.delete(key, options);
}

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** An object that this version cannot read is as good as none: the work is planned anew. */
export async function readObject<T>(
  schema: Schema<T>,
  store: ObjectStore,
  key: string,
  options: RequestOptions
): Promise<T | undefined> {
  const bytes = await store.get(key, options);
  if (bytes === undefined) return undefined;
  const parsed = schema.safeParse(parseJson(bytes));
  return parsed.success ? parsed.data : undefined;
}
