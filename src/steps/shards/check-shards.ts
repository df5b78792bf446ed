import type { ShardStep, ShardStepResult } from '../../core/contract.js';
import { isPrefetchError } from '../../core/errors.js';
import { removePlans } from '../../dir/plan-objects.js';
import { readShardRecord, records, writeShardRecord } from '../../dir/shard-records.js';
import { checkFrames } from '../../shard/native/check-frames.js';
import { checkSource } from '../../shard/native/check-source.js';
import {
  isPublished,
  openShards,
  openStep,
  openWeights,
  requireLayout,
  requireNumber,
  type StepNeeds,
  type StepOptions,
} from './step-context.js';
import { isCheckOf, readWritten, requireWritten } from './written-shards.js';

/**
 * Puts one weights file together again from the files of all ranks, as the store has them, and compares it. With the
 * first one goes what comes from no weights file: headers and constants. When they differ, the plan and its records go,
 * so that the next attempt of the run writes everything anew.
 */
export async function checkShards(
  needs: StepNeeds,
  step: ShardStep,
  { signal, onProgress }: StepOptions
): Promise<ShardStepResult> {
  const context = await openStep(needs, step, { signal });
  const { plan, store } = context;
  const layout = requireLayout(context);
  const [{ path, size, digest }, file] = requireNumber(step, plan.source.weights);
  const result = { files: 1, bytes: size };
  const found = await readWritten(context, { signal });
  if (isCheckOf(await readShardRecord(store, step, records.check(file), { signal }), found)) return result;
  if (await isPublished(context, { signal })) return result;
  const written = await requireWritten(context, found, { signal });
  const weights = await openWeights(needs, context, { signal });
  const shards = openShards(needs, context);
  let bytesDone = 0;
  const onChecked = (count: number): void => {
    bytesDone += count;
    onProgress({ bytesDone, current: path });
  };
  try {
    if (file === 0) await checkFrames(layout, shards.sources, { signal });
    const known = digest?.algorithm === 'sha256' ? digest.hex : undefined;
    const check = {
      context: needs.engine.context,
      layout,
      file,
      sha256: known,
      sources: weights.sources,
      shards: shards.sources,
    };
    const sha256 = await checkSource(check, { signal, onChecked });
    const of = written.map(({ id }) => id);
    await writeShardRecord(store, step, records.check(file), { files: [], checked: [{ path, sha256 }], of });
  } catch (error) {
    if (isPrefetchError(error, 'ShardMismatch')) await removePlans(store, step.dirKey, {});
    throw error;
  } finally {
    await weights.close();
    await shards.close();
  }
  return result;
}
