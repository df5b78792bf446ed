import { canonicalJson } from '../../core/canonical-json.js';
import type { ShardPlanSummary } from '../../core/contract.js';
import { isPrefetchError, rewrap, type PrefetchError } from '../../core/errors.js';
import { sha256Hex } from '../../core/identity.js';
import type { ShardPlan } from '../../core/schemas/shard-plan.js';
import { storedFileOf } from '../../core/stored-file.js';
import { headDiffers } from '../../shard/checkpoint/head-differs.js';
import { INDEX_PATH } from '../../shard/checkpoint/model-files.js';
import { withOverruled } from '../../shard/checkpoint/overruled-by-vllm.js';
import { readCheckpoint, type Checkpoint, type CheckpointPlace } from '../../shard/checkpoint/read-checkpoint.js';
import { unsupported } from '../../shard/layout/unsupported.js';
import { layOutRanks, type RankLayout, type ShardingRequest } from '../../shard/rank-layout.js';
import { sourceForVllm } from '../../shard/vllm/source-for-vllm.js';
import type { ActivityDependencies } from '../dependencies.js';
import { chooseEngine, type EngineChoice } from './choose-engine.js';
import type { ShardingJob } from './sharding-job.js';

/** A plan before anything is written. */
export interface DraftedPlan {
  readonly plan: ShardPlan;
  readonly summary: ShardPlanSummary;
  /** The files to the last byte, where the native engine knows the model. */
  readonly layout: RankLayout | undefined;
}

/** Reads the checkpoint's headers, chooses the engine and lays the shards out; writes nothing. */
export async function draftPlan(
  { engine: { context } }: Pick<ActivityDependencies, 'engine'>,
  job: ShardingJob,
  { signal }: { readonly signal: AbortSignal }
): Promise<DraftedPlan> {
  const place = { context, ...job.source };
  const choice = await chooseEngine(job.request, async () => {
    const checkpoint = await readCheckpoint(place, { signal });
    if (job.request.engine === 'vllm' && checkpoint.overlaid) throw decidedByVllm();
    try {
      return { checkpoint, ...(await layOutCheckpoint(place, job, checkpoint, { signal })) };
    } catch (error) {
      throw withOverruled(error, checkpoint.overruled);
    }
  });
  // It would refuse them after its GPUs were waited for.
  if (choice.engine === 'vllm') sourceForVllm(job.source.files);
  const plan = describePlan(job, choice);
  return { plan, summary: summarise(job, plan, choice), layout: choice.layout?.ranks };
}

async function layOutCheckpoint(
  place: CheckpointPlace,
  { request: { args } }: ShardingJob,
  checkpoint: Checkpoint,
  { signal }: { readonly signal: AbortSignal }
): Promise<{ readonly ranks: RankLayout; readonly headDiffers: boolean }> {
  const differs = await headDiffers(place, checkpoint, { signal });
  const { tensorParallelSize: ranks, dtype, vllmVersion, maxFileSize, filePattern } = args;
  const { config, weights: files } = checkpoint;
  const request = { config, files, ranks, dtype, vllmVersion, maxFileSize, filePattern, headDiffers: differs };
  return { ranks: layOutWhole(request, checkpoint), headDiffers: differs };
}

/** Of several tensors of one name vLLM takes the last, whatever the index says: it is not held to the layout of native. */
function decidedByVllm(): PrefetchError {
  return unsupported('duplicate-tensor', 'Several files hold the same tensors');
}

/** A tensor that both config and index promise, and that no file holds, is missing for every engine. */
function layOutWhole(request: ShardingRequest, { stale }: Checkpoint): RankLayout {
  try {
    return layOutRanks(request);
  } catch (error) {
    const lacking = isPrefetchError(error, 'UnsupportedSharding') ? error.details['tensors'] : undefined;
    const missing = Array.isArray(lacking) ? lacking.filter((name) => stale.has(String(name))) : [];
    if (missing.length === 0 || !isPrefetchError(error)) throw error;
    const text = `${error.text}. ${INDEX_PATH} names them too: the weights files are not all that belong to it`;
    throw rewrap(error, { code: 'IncompleteCheckpoint', text });
  }
}

type Choice = EngineChoice<{
  readonly checkpoint: Checkpoint;
  readonly ranks: RankLayout;
  readonly headDiffers: boolean;
}>;

function describePlan(job: ShardingJob, { engine, reason, layout }: Choice): ShardPlan {
  const { source, request, model, force, metadata } = job;
  const content = {
    version: 1,
    engine,
    reason,
    request,
    dtype: layout?.ranks.dtype ?? request.args.dtype,
    ...(layout === undefined ? {} : { profile: layout.ranks.profile.id }),
    headDiffers: layout?.headDiffers === true,
    config: { ...layout?.checkpoint.config },
    source: {
      root: source.store.root,
      dirKey: source.dirKey,
      weights: (layout?.checkpoint.weights ?? []).map(({ header, ...file }) => ({
        ...storedFileOf(file),
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
      others: (layout?.checkpoint.others ?? source.files).map(storedFileOf),
    },
    model,
    ...(force === undefined ? {} : { force }),
    ...(metadata === undefined ? {} : { metadata }),
  } as const;
  // Equal bytes have an equal plan, so that any later run goes on with it.
  const decides = { ...content, reason: undefined, model: undefined, metadata: undefined };
  return { ...content, planId: sha256Hex(canonicalJson(decides)).slice(0, 16) };
}

function summarise(job: ShardingJob, plan: ShardPlan, choice: Choice): ShardPlanSummary {
  const { engine, reason, layout } = choice;
  const { args } = job.request;
  const { dtype, planId } = plan;
  const { maxFileSize, filePattern, tensorParallelSize } = args;
  const profile = choice.engine === 'native' ? choice.layout.ranks.profile.id : args.vllmVersion;
  const perRank = layout?.ranks.parts.reduce((sum, { size }) => sum + size, 0);
  return {
    planId,
    dirKey: job.target.dirKey(dtype, { engine, profile, maxFileSize, filePattern }),
    engine,
    reason,
    tensorParallelSize,
    dtype,
    parts: layout?.ranks.parts.length ?? 0,
    checks: plan.source.weights.length,
    totalBytes:
      perRank === undefined ? job.source.files.reduce((sum, { size }) => sum + size, 0) : perRank * tensorParallelSize,
  };
}
