import type { ShardStep, ShardStepResult } from '../../core/contract.js';
import type { Digest } from '../../core/digest.js';
import { PrefetchError } from '../../core/errors.js';
import type { ShardPlan, ShardRecord } from '../../core/schemas/shard-plan.js';
import { readShardRecord, records, writeShardRecord } from '../../dir/shard-records.js';
import { sideFiles } from '../../hub/vllm-files.js';
import { CONFIG_PATH } from '../../shard/checkpoint/model-files.js';
import { untieEmbeddings } from '../../shard/checkpoint/untie-embeddings.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import { readPolicy } from '../../transfer/budget/policies.js';
import { copyWithin } from '../../transfer/copy-within.js';
import { hashBytes } from '../../transfer/digest/content-hash.js';
import { copyByDisk } from '../../transfer/disk/copy-by-disk.js';
import { openObject } from '../../transfer/read/object-source.js';
import { hashObject } from '../../transfer/read/verify-object.js';
import { areThere } from './shard-natively.js';
import {
  isPublished,
  openStep,
  refuseChanged,
  type StepContext,
  type StepOptions,
  type WritingNeeds,
} from './step-context.js';

const FILES_AT_ONCE = 8;

type OtherFile = ShardPlan['source']['others'][number];
type CopiedFile = ShardRecord['files'][number];

/** Brings config, tokenizer and what else is no weight into the sharded Dir, each file verified. */
export async function copyModelFiles(
  needs: WritingNeeds,
  step: ShardStep,
  { signal, onProgress }: StepOptions
): Promise<ShardStepResult> {
  const context = await openStep(needs, step, { signal });
  const { store, plan } = context;
  const files = sideFiles(plan.source.others);
  const result = { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
  const before = await readShardRecord(store, step, records.modelFiles, { signal });
  if (before !== undefined && (await areThere(store, step, before, { signal }))) return result;
  if (before === undefined && (await isPublished(context, { signal }))) return result;
  const copied: CopiedFile[] = [];
  await forEachAtOnce(files, { limit: FILES_AT_ONCE, signal }, async (file, inner) => {
    copied.push(await copyFile(needs, context, file, inner.signal));
    onProgress({ bytesDone: copied.reduce((sum, { size }) => sum + size, 0), current: file.path });
  });
  await writeShardRecord(store, step, records.modelFiles, { files: copied, checked: [] });
  return result;
}

async function copyFile(
  needs: WritingNeeds,
  context: StepContext,
  file: OtherFile,
  signal: AbortSignal
): Promise<CopiedFile> {
  const { plan, store, source, step } = context;
  const from = `${plan.source.dirKey}${file.path}`;
  const to = `${step.dirKey}${file.path}`;
  refuseChanged(await source.head(from, { signal }), file, `${source.root}${plan.source.dirKey}`);
  if (file.path === CONFIG_PATH && plan.headDiffers) return writeConfig(context, { from, to, signal });
  const digest = file.digest ?? (await digestOf(context, file, { from, signal }));
  const facts = { path: file.path, size: file.size, [digest.algorithm]: digest.hex };
  const copy = { store, from, etag: file.etag, to, source: { path: file.path, size: file.size, digest } };
  const copied = store === source ? await copyWithin(needs.engine.context, copy, { signal }) : undefined;
  if (copied !== undefined) return { ...facts, etag: copied.etag };
  const { etag } = await transfer(needs, context, { from, to, digest, size: file.size, signal });
  return { ...facts, etag };
}

/** Changes the config that was copied, where vLLM found out that the output head is not the embedding. */
export async function untieCopiedConfig(
  context: StepContext,
  { signal }: { readonly signal: AbortSignal }
): Promise<void> {
  const { store, step, plan } = context;
  const record = await readShardRecord(store, step, records.modelFiles, { signal });
  if (record === undefined) {
    throw new PrefetchError('ObjectChanged', `The files beside the weights are not copied any more. Run it again`);
  }
  const from = `${plan.source.dirKey}${CONFIG_PATH}`;
  const config = await writeConfig(context, { from, to: `${step.dirKey}${CONFIG_PATH}`, signal });
  const others = record.files.filter(({ path }) => path !== CONFIG_PATH);
  await writeShardRecord(store, step, records.modelFiles, { files: [...others, config], checked: [] });
}

interface Copying {
  readonly from: string;
  readonly to: string;
  readonly signal: AbortSignal;
}

/** What nobody vouches for yet is vouched for by what is read now. */
async function digestOf(
  { source }: StepContext,
  { size }: OtherFile,
  { from, signal }: Pick<Copying, 'from' | 'signal'>
): Promise<Digest> {
  const hex = await hashObject(source, { key: from, size, algorithm: 'sha256' }, { signal });
  return { algorithm: 'sha256', hex };
}

/** The config with its embeddings untied, for the shards hold both of them. */
async function writeConfig({ source, store }: StepContext, { from, to, signal }: Copying): Promise<CopiedFile> {
  const bytes = await source.get(from, { signal });
  if (bytes === undefined) throw new PrefetchError('ObjectChanged', `${from} is gone. Run it again`);
  const changed = untieEmbeddings(bytes);
  const { etag } = await store.put(to, changed, { signal, contentType: 'application/json' });
  return { path: CONFIG_PATH, size: changed.length, sha256: await hashBytes('sha256', changed), etag };
}

async function transfer(
  needs: WritingNeeds,
  { source, store, step }: StepContext,
  { from, to, digest, size, signal }: Copying & { readonly digest: Digest; readonly size: number }
): Promise<{ readonly etag: string }> {
  const { engine, scratchFolder } = needs;
  const { multipart } = await store.capabilities({ signal });
  if (!multipart && size > engine.partSizeBytes) {
    const copy = { source, from, store, to, digest, size, engine, scratchFolder, planId: step.planId };
    return copyByDisk(copy, { signal });
  }
  const original = openObject(source, { key: from, size }, readPolicy(engine.policies));
  try {
    return await engine.transferFile({ source: { ...original, digest }, store, key: to, trust: 'replace' }, { signal });
  } finally {
    await original.close();
  }
}
