import type { ByteSource } from '../../core/byte-source.js';
import type { ShardStep, ShardStepResult } from '../../core/contract.js';
import type { ShardRecord } from '../../core/schemas/shard-plan.js';
import { readShardRecord, records, writeShardRecord } from '../../dir/shard-records.js';
import { writePartByDisk } from '../../shard/native/write-part-by-disk.js';
import { writePart, type WrittenFile } from '../../shard/native/write-part.js';
import type { ShardPart, RankLayout } from '../../shard/rank-layout.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { mapAtOnce } from '../../tasks/for-each-at-once.js';
import { publishedShards } from './published-shards.js';
import {
  isPublished,
  openStep,
  openWeights,
  REQUESTS_AT_ONCE,
  requireLayout,
  requireNumber,
  type StepContext,
  type StepOptions,
  type WritingNeeds,
} from './step-context.js';

/** Writes one part of every rank, but for files that a record says were written, and that are still there. */
export async function shardNatively(
  needs: WritingNeeds,
  step: ShardStep,
  { signal, onProgress }: StepOptions
): Promise<ShardStepResult> {
  const context = await openStep(needs, step, { signal });
  const { store } = context;
  const layout = requireLayout(context);
  const [part] = requireNumber(step, layout.parts);
  const name = records.part(part.number);
  const bytes = part.size * layout.ranks;
  const before = await readShardRecord(store, step, name, { signal });
  const there = before === undefined ? [] : await findThere(store, step, before, { signal });
  const finished = there.flatMap((file) => (file.sha256 === undefined ? [] : [{ ...file, sha256: file.sha256 }]));
  if (finished.length === layout.ranks) return { files: layout.ranks, bytes };
  if (before === undefined && (await isPublished(context, { signal }))) return { files: layout.ranks, bytes };

  // Two attempts of one step in one process, of which the server gave one up, must not write into the same uploads.
  const release = await needs.engine.context.keyLock.acquire(`${store.root}${step.dirKey}${name}`, { signal });
  try {
    const weights = await openWeights(needs, context, { signal });
    try {
      await writeOneWay(needs, { context, layout, part, sources: weights.sources }, { finished, signal, onProgress });
    } finally {
      await weights.close();
    }
  } finally {
    release();
  }
  return { files: layout.ranks, bytes };
}

interface Writing {
  readonly context: StepContext;
  readonly layout: RankLayout;
  readonly part: ShardPart;
  readonly sources: readonly ByteSource[];
}

interface WritingOptions extends StepOptions {
  readonly finished: readonly WrittenFile[];
}

async function writeOneWay(
  { engine, scratchFolder }: WritingNeeds,
  { context, layout, part, sources }: Writing,
  { finished, signal, onProgress }: WritingOptions
): Promise<void> {
  const { store, step } = context;
  const { dirKey, planId } = step;
  let bytesDone = 0;
  const onStored = (count: number): void => {
    bytesDone += count;
    onProgress({ bytesDone, current: `part ${part.number + 1} of ${layout.parts.length} of ${layout.ranks} ranks` });
  };
  // Whoever is killed between two files, which may take minutes to complete, is not to write the first one again.
  const onFinished = (files: readonly WrittenFile[]) =>
    writeShardRecord(store, step, records.part(part.number), { files: [...files], checked: [] });
  const options = { signal, onStored, onFinished };
  const { multipart } = await store.capabilities({ signal });
  const to = { layout, sources, store, dirKey };
  const published = publishedShards(context);
  if (multipart) {
    await writePart({ ...to, context: engine.context, resume: true, finished, published }, part, options);
  } else await writePartByDisk({ ...to, engine, planId, scratchFolder, published }, part, options);
}

/** Whether the files of a record are there as they were verified. */
export async function areThere(
  store: ObjectStore,
  step: Pick<ShardStep, 'dirKey'>,
  record: Pick<ShardRecord, 'files'>,
  options: { readonly signal: AbortSignal }
): Promise<boolean> {
  return (await findThere(store, step, record, options)).length === record.files.length;
}

/** The files of a record that are there as they were verified. */
async function findThere(
  store: ObjectStore,
  { dirKey }: Pick<ShardStep, 'dirKey'>,
  { files }: Pick<ShardRecord, 'files'>,
  { signal }: { readonly signal: AbortSignal }
): Promise<ShardRecord['files']> {
  const found = await mapAtOnce(files, { limit: REQUESTS_AT_ONCE, signal }, ({ path }, inner) =>
    store.head(`${dirKey}${path}`, inner)
  );
  return files.filter(({ size, etag }, index) => found[index]?.size === size && found[index].etag === etag);
}
