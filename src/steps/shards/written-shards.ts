import { PrefetchError } from '../../core/errors.js';
import type { ShardRecord } from '../../core/schemas/shard-plan.js';
import { isUnchanged } from '../../dir/dir-objects.js';
import { openDir } from '../../dir/open-dir.js';
import { readShardRecord, records } from '../../dir/shard-records.js';
import { mapAtOnce } from '../../tasks/for-each-at-once.js';
import { REQUESTS_AT_ONCE, requireLayout, type StepContext } from './step-context.js';

interface Options {
  readonly signal: AbortSignal;
}

type Written = readonly (ShardRecord | undefined)[];

/** What was written of all shards: a record for each part, or the one of vLLM; undefined where that is not done. */
export async function readWritten(
  context: Pick<StepContext, 'store' | 'step' | 'plan' | 'layout'>,
  options: Options
): Promise<Written> {
  const { store, step, plan } = context;
  if (plan.engine === 'vllm') return [await readShardRecord(store, step, records.vllm, options)];
  const { parts, ranks } = requireLayout(context);
  const found = await mapAtOnce(parts, { limit: REQUESTS_AT_ONCE, ...options }, ({ number: part }, inner) =>
    readShardRecord(store, step, records.part(part), inner)
  );
  // A part whose ranks are not all there is not written yet.
  return found.map((record) => (record?.files.length === ranks ? record : undefined));
}

/** Whether a check looked at just these files, and not at those that were there before them. */
export function isCheckOf(check: ShardRecord | undefined, written: Written): boolean {
  return check?.of?.length === written.length && written.every((record, index) => record?.id === check.of?.[index]);
}

/** The records, when every file of theirs is there as it was written; `ObjectChanged` has the shards planned anew. */
export async function requireWritten(
  { store, step }: Pick<StepContext, 'store' | 'step'>,
  written: Written,
  options: Options
): Promise<ShardRecord[]> {
  const files = written.flatMap((record) => record?.files ?? []);
  const objects = await openDir(store, step.dirKey).objects(files, options);
  return written.map((record) => {
    const wrong = record?.files.find((file) => !isUnchanged(objects, file));
    if (record !== undefined && wrong === undefined) return record;
    throw new PrefetchError(
      'ObjectChanged',
      `${wrong?.path ?? 'A part'} in ${store.root}${step.dirKey} is not there as it was written. Run it again`
    );
  });
}
