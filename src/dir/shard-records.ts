import { randomBytes } from 'node:crypto';
import type { ShardStep } from '../core/contract.js';
import { shardRecordKey } from '../core/keys.js';
import { shardRecordSchema, type ShardRecord } from '../core/schemas/shard-plan.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import { readJson, writeJson } from './json-objects.js';

/** Names of the records of a shard plan. */
export const records = {
  part: (part: number) => `part-${String(part)}`,
  modelFiles: 'model-files',
  vllm: 'vllm',
  check: (file: number) => `check-${String(file)}`,
} as const;

/** What a step of sharding noted as done, or undefined where it noted nothing that can be read. */
export async function readShardRecord(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>,
  name: string,
  options: RequestOptions
): Promise<ShardRecord | undefined> {
  return readJson(shardRecordSchema, store, shardRecordKey(dirKey, planId, name), options);
}

/** Notes what a step of sharding did, under an id that no other record has. */
export async function writeShardRecord(
  store: ObjectStore,
  { dirKey, planId }: Pick<ShardStep, 'dirKey' | 'planId'>,
  name: string,
  record: Omit<ShardRecord, 'version' | 'planId' | 'id'>
): Promise<void> {
  const id = randomBytes(8).toString('hex');
  const whole = { version: 1, planId, id, ...record } satisfies ShardRecord;
  // What is done is noted whatever happens to the run; the write is bounded by the store's own time-outs.
  await writeJson(store, shardRecordKey(dirKey, planId, name), whole, {});
}
