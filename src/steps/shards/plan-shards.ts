import { canonicalJson } from '../../core/canonical-json.js';
import type { ShardOutcome, ShardPlanSummary } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import { sha256Hex } from '../../core/identity.js';
import { planPrefix, plansPrefix, shardPlanKey } from '../../core/layout.js';
import type { Manifest } from '../../core/schemas/manifest.js';
import type { StoredFile } from '../../core/stored-file.js';
import type { ShardPlan } from '../../core/schemas/shard-plan.js';
import type { DirObjects } from '../../dir/dir-objects.js';
import { writeJson } from '../../dir/json-objects.js';
import { openDir } from '../../dir/open-dir.js';
import { headDiffers } from '../../shard/checkpoint/head-differs.js';
import { sideFiles } from '../../shard/checkpoint/model-files.js';
import { readCheckpoint, type Checkpoint } from '../../shard/checkpoint/read-checkpoint.js';
import { shardFileName } from '../../shard/file-names.js';
import { layOutRanks, type RankLayout } from '../../shard/rank-layout.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import type { ActivityDependencies } from '../dependencies.js';
import { chooseEngine, type EngineChoice } from './choose-engine.js';
import { inspectTarget, type Target } from './inspect-target.js';
import type { ShardingJob } from './sharding-job.js';

const UPLOADS_AT_ONCE = 8;

/** A plan before anything is written. */
export interface DraftedPlan {
  readonly document: ShardPlan;
  readonly summary: ShardPlanSummary;
  /** The files to the last byte, where the native engine knows the model. */
  readonly layout: RankLayout | undefined;
}

/** Finds the sharded Dir that is published already, or leaves a plan for the steps that follow. */
export async function planShards(
  needs: Pick<ActivityDependencies, 'engine'>,
  job: ShardingJob,
  options: { readonly signal: AbortSignal }
): Promise<ShardOutcome> {
  const draft = await draftPlan(needs, job, options);
  const { document, summary, layout } = draft;
  const { dirKey, planId } = summary;
  const { store, named } = job.target;
  const { dir, published, stays, objects } = await inspectTarget(job, draft, { ...options, mayRepair: () => true });
  if (dir !== undefined) {
    await removeOwnPlan(store, dirKey, { objects, published, signal: options.signal });
    return { kind: 'hit', dir };
  }
  const planKey = shardPlanKey(dirKey, planId);
  const begun = (await store.head(planKey, options)) !== undefined;
  const place = `${store.root}${dirKey}`;
  if (named) refuseForeign({ document, layout, objects, place, begun }, published?.manifest);
  // What an earlier attempt of this plan wrote has its room already.
  await store.checkWritable({ ...options, bytes: summary.totalBytes - (begun ? bytesOfShards(objects) : 0) });
  if (!begun) {
    // Parts that another plan left would pass for parts of this one.
    if (layout !== undefined) await giveUpUploads(store, dirKey, layout, options.signal);
    await writeJson(store, planKey, document, options);
  }
  // A good manifest stays while a forced run replaces its objects one by one by equal bytes.
  if (published !== undefined && !stays) await openDir(store, dirKey).withdraw(published, options);
  return { kind: 'shard', plan: summary };
}

/** Whoever published a Dir may have died before its plan was removed; plans of others are in use. */
async function removeOwnPlan(
  store: ObjectStore,
  dirKey: string,
  { objects, published, signal }: Pick<Target, 'objects' | 'published'> & { readonly signal: AbortSignal }
): Promise<void> {
  const planId = published?.manifest.sharding?.planId;
  if (planId === undefined) return;
  const prefix = planPrefix('', planId);
  const paths = [...objects.keys()].filter((path) => path.startsWith(prefix));
  await store.deleteMany(
    paths.map((path) => `${dirKey}${path}`),
    { signal }
  );
}

function bytesOfShards(objects: DirObjects): number {
  const shards = [...objects].filter(([path]) => path.endsWith('.safetensors'));
  return shards.reduce((sum, [, { size }]) => sum + size, 0);
}

/** Reads the checkpoint's headers, chooses the engine and lays the shards out; writes nothing. */
export async function draftPlan(
  { engine: { context } }: Pick<ActivityDependencies, 'engine'>,
  job: ShardingJob,
  { signal }: { readonly signal: AbortSignal }
): Promise<DraftedPlan> {
  const { args } = job.request;
  const place = { context, ...job.source };
  const choice = await chooseEngine(job.request, async () => {
    const checkpoint = await readCheckpoint(place, { signal });
    const differs = await headDiffers(place, checkpoint, { signal });
    const { tensorParallelSize: ranks, dtype, vllmVersion, maxFileSize, filePattern } = args;
    const { config, weights: files } = checkpoint;
    const request = { config, files, ranks, dtype, vllmVersion, maxFileSize, filePattern, headDiffers: differs };
    return { checkpoint, plan: layOutRanks(request), headDiffers: differs };
  });
  const document = describePlan(job, choice);
  return { document, summary: summarise(job, document, choice), layout: choice.layout?.plan };
}

type Choice = EngineChoice<{
  readonly checkpoint: Checkpoint;
  readonly plan: RankLayout;
  readonly headDiffers: boolean;
}>;

function describePlan(job: ShardingJob, { engine, reason, layout }: Choice): ShardPlan {
  const { source, request, model, force, metadata } = job;
  const content = {
    version: 1,
    engine,
    reason,
    request,
    dtype: layout?.plan.dtype ?? request.args.dtype,
    ...(layout === undefined ? {} : { profile: layout.plan.profile.id }),
    headDiffers: layout?.headDiffers === true,
    config: { ...layout?.checkpoint.config },
    source: {
      root: source.store.root,
      dirKey: source.dirKey,
      weights: (layout?.checkpoint.weights ?? []).map(({ header, ...file }) => ({
        ...asSourceFile(file),
        headerByteLength: header.headerByteLength,
        tensors: header.tensors.map(
          ({ name, dtype, shape, begin, end }): [string, string, number[], number, number] => [
            name,
            dtype,
            [...shape],
            begin,
            end,
          ]
        ),
      })),
      // Without a layout nobody knows which files are weights: vLLM gets all of them.
      others: (layout?.checkpoint.others ?? source.files).map(asSourceFile),
    },
    model,
    ...(force === undefined ? {} : { force }),
    ...(metadata === undefined ? {} : { metadata }),
  } as const;
  // Equal bytes have an equal plan, so that any later run goes on with it.
  const decides = { ...content, reason: undefined, model: undefined, metadata: undefined };
  return { ...content, planId: sha256Hex(canonicalJson(decides)).slice(0, 16) };
}

function asSourceFile({ path, size, etag, digest }: StoredFile): ShardPlan['source']['others'][number] {
  return { path, size, etag, ...(digest === undefined ? {} : { digest }) };
}

function summarise(job: ShardingJob, document: ShardPlan, choice: Choice): ShardPlanSummary {
  const { engine, reason, layout } = choice;
  const { args } = job.request;
  const { dtype, planId } = document;
  const { maxFileSize, filePattern, tensorParallelSize } = args;
  const profile = choice.engine === 'native' ? choice.layout.plan.profile.id : args.vllmVersion;
  const perRank = layout?.plan.parts.reduce((sum, { size }) => sum + size, 0);
  return {
    planId,
    dirKey: job.target.dirKey(dtype, { engine, profile, maxFileSize, filePattern }),
    engine,
    reason,
    tensorParallelSize,
    dtype,
    parts: layout?.plan.parts.length ?? 0,
    checks: document.source.weights.length,
    totalBytes:
      perRank === undefined ? job.source.files.reduce((sum, { size }) => sum + size, 0) : perRank * tensorParallelSize,
  };
}

interface Place {
  readonly document: ShardPlan;
  readonly layout: RankLayout | undefined;
  readonly objects: DirObjects;
  readonly place: string;
  /** Whether an attempt of this plan was here before. */
  readonly begun: boolean;
}

/** A folder that somebody named may hold anything; shards among other files would be loaded with them. */
function refuseForeign({ document, layout, objects, place, begun }: Place, published: Manifest | undefined): void {
  const isOurs = published?.sharding?.planId === document.planId;
  if (published !== undefined && !isOurs && document.force === undefined) {
    throw new PrefetchError(
      'InvalidInput',
      `${place} holds another Dir already (${describeDir(published)}): choose another --to, or write it anew with --force`
    );
  }
  // How many parts vLLM writes is not known before; what is too many is removed before the Dir is published.
  if (layout === undefined && begun) return;
  const ours = new Set([
    ...(layout === undefined ? [] : layout.parts.flatMap(({ part }) => fileNames(layout, part))),
    ...sideFiles(document.source.others).map(({ path }) => path),
  ]);
  const foreign = [...objects.keys()].filter((path) => !path.startsWith(plansPrefix('')) && !ours.has(path));
  if (foreign.length === 0) return;
  throw new PrefetchError(
    'InvalidInput',
    `${place} holds files that are no part of these shards (${foreign.slice(0, 3).join(', ')}${foreign.length > 3 ? ', …' : ''}): ` +
      'choose an empty folder for --to'
  );
}

function describeDir({ repo, sharding }: Manifest): string {
  if (sharding === undefined) return repo;
  return `${repo}, tensorParallelSize ${sharding.tensorParallelSize}, ${sharding.dtype}, engine ${sharding.engine}`;
}

function fileNames(layout: RankLayout, part: number): string[] {
  return Array.from({ length: layout.ranks }, (_, rank) => shardFileName(layout, rank, part));
}

async function giveUpUploads(
  store: ObjectStore,
  dirKey: string,
  layout: RankLayout,
  signal: AbortSignal
): Promise<void> {
  const { multipart } = await store.capabilities({ signal });
  if (!multipart) return;
  const keys = layout.parts.flatMap(({ part }) => fileNames(layout, part)).map((path) => `${dirKey}${path}`);
  await forEachAtOnce(keys, { limit: UPLOADS_AT_ONCE, signal }, async (key, inner) => {
    for (const upload of await store.findUploads(key, inner)) await store.abortUpload(upload, inner);
  });
}
