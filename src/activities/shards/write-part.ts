import type { ShardStep, ShardStepResult } from '../../core/contract.js';
import type { ShardRecord } from '../../core/schemas/shard-plan.js';
import { writePart } from '../../shard/native/write-part.js';
import { writePartByDisk } from '../../shard/native/write-part-by-disk.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { readShardRecord, records, writeShardRecord } from './shard-objects.js';
import {
  isPublished,
  openStep,
  openWeights,
  requireLayout,
  requireNumber,
  type StepOptions,
  type WritingNeeds,
} from './step-context.js';

/** Writes one part of every rank, unless a record says that it was written and it is still there. */
export async function shardPart(
  needs: WritingNeeds,
  step: ShardStep,
  { signal, onProgress }: StepOptions
): Promise<ShardStepResult> {
  const context = await openStep(needs, step, { signal });
  const { store } = context;
  const plan = requireLayout(context);
  const part = requireNumber(step, plan.parts);
  const name = records.part(part.part);
  const bytes = part.size * plan.ranks;
  const before = await readShardRecord(store, step, name, { signal });
  if (before !== undefined && (await areThere(store, step, before, { signal }))) return { files: plan.ranks, bytes };
  if (before === undefined && (await isPublished(context, { signal }))) return { files: plan.ranks, bytes };

  const sources = await openWeights(needs, context, { signal });
  let bytesDone = 0;
  const onStored = (count: number): void => {
    bytesDone += count;
    onProgress({ bytesDone, current: `part ${part.part + 1} of ${plan.parts.length} of ${plan.ranks} ranks` });
  };
  const options = { signal, onStored };
  try {
    const { engine, scratchFolder } = needs;
    const { dirKey, planId } = step;
    const { multipart } = await store.capabilities({ signal });
    const files = multipart
      ? await writePart({ context: engine.context, plan, sources, store, dirKey, resume: true }, part, options)
      : await writePartByDisk({ engine, plan, sources, store, dirKey, planId, scratchFolder }, part, options);
    await writeShardRecord(store, step, name, { files, checked: [] });
  } finally {
    await sources.close();
  }
  return { files: plan.ranks, bytes };
}

/** Whether the files of a record are there as they were verified. */
export async function areThere(
  store: ObjectStore,
  { dirKey }: Pick<ShardStep, 'dirKey'>,
  { files }: Pick<ShardRecord, 'files'>,
  options: { readonly signal: AbortSignal }
): Promise<boolean> {
  const found = await Promise.all(files.map(({ path }) => store.head(`${dirKey}${path}`, options)));
  return files.every(({ size, etag }, index) => found[index]?.size === size && found[index].etag === etag);
}
