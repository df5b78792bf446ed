import type { ShardStep, ShardStepResult } from '../../core/contract.js';
import { isPrefetchError, rewrap } from '../../core/errors.js';
import type { ShardPlan } from '../../core/schemas/shard-plan.js';
import { storedFileOf } from '../../core/stored-file.js';
import { readShardRecord, records, writeShardRecord } from '../../dir/shard-records.js';
import type { TensorSpec } from '../../safetensors/index.js';
import { shardFileName } from '../../shard/file-names.js';
import type { RankLayout } from '../../shard/rank-layout.js';
import { lookForVllm } from '../../shard/vllm/host/look-for-vllm.js';
import type { VllmProgress } from '../../shard/vllm/job.js';
import { runVllmJob } from '../../shard/vllm/run-job.js';
import type { ActivityDependencies } from '../dependencies.js';
import { untieCopiedConfig } from './copy-model-files.js';
import { publishedShards } from './published-shards.js';
import { areThere } from './shard-natively.js';
import { isPublished, openStep, type StepOptions } from './step-context.js';

type Needs = Pick<ActivityDependencies, 'openStore' | 'engine' | 'scratchFolder' | 'vllm'>;

/** Has vLLM on this host write all shards, unless a record says that it did and they are still there. */
export async function shardWithVllm(
  needs: Needs,
  step: ShardStep,
  { signal, onProgress }: StepOptions
): Promise<ShardStepResult> {
  const context = await openStep(needs, step, { signal });
  const { store, source, plan, layout } = context;
  const before = await readShardRecord(store, step, records.vllm, { signal });
  const untie = async (untied = false) => {
    if (untied && !plan.headDiffers) await untieCopiedConfig(context, { signal });
  };
  if (before !== undefined && (await areThere(store, step, before, { signal }))) {
    // The config may have been copied once more since.
    await untie(before.vllm?.untied);
    return summarise(before.files);
  }
  if (before === undefined && (await isPublished(context, { signal }))) return { files: 0, bytes: 0 };
  const { weights, others, dirKey } = plan.source;
  const published = publishedShards(context);
  const shards = await whyVllm(plan, () =>
    runVllmJob(
      {
        planId: step.planId,
        dirKey: step.dirKey,
        source: { store: source, dirKey, files: [...weights.map(storedFileOf), ...others.map(storedFileOf)] },
        args: plan.request.args,
        ...(layout === undefined ? {} : { dtype: layout.dtype, expected: expectedFiles(layout) }),
        ...(step.resources === undefined ? {} : { resources: step.resources }),
      },
      { ...needs.vllm, store, engine: needs.engine, scratchFolder: needs.scratchFolder, published },
      {
        signal,
        onProgress: (progress) => {
          onProgress({ bytesDone: progress.bytesDone, current: describe(progress) });
        },
      }
    )
  );
  await untie(shards.untied);
  const { files, vllmVersion: version, dtype, device } = shards;
  await writeShardRecord(store, step, records.vllm, {
    files: [...files],
    checked: [],
    vllm: { version, dtype, device, untied: shards.untied },
  });
  return summarise(files);
}

/** Fails where this host is sure to have no vLLM for a step that needs it yet, before anything is written for that. */
export async function requireVllm(
  needs: Needs,
  step: ShardStep,
  { signal }: Pick<StepOptions, 'signal'>
): Promise<void> {
  const { store, plan } = await openStep(needs, step, { signal });
  if ((await readShardRecord(store, step, records.vllm, { signal })) !== undefined) return;
  const { scratchFolder, vllm } = needs;
  await whyVllm(plan, () => lookForVllm(plan.request, { scratchFolder, ...vllm }, { signal }));
}

/** Who asked for no engine may not know why vLLM is needed where there is none. */
async function whyVllm<T>(
  { reason, request }: Pick<ShardPlan, 'reason' | 'request'>,
  work: () => Promise<T>
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (request.engine !== 'auto' || !isPrefetchError(error, 'VllmUnavailable')) throw error;
    const why = reason.replace(/^auto: /, '');
    throw rewrap(error, {
      text: `Engine native does not shard this (${why}), and vLLM cannot be used: ${error.text}`,
    });
  }
}

function summarise(files: readonly { readonly size: number }[]): ShardStepResult {
  return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

/** What the native engine would write: vLLM must write no less. */
function expectedFiles(layout: RankLayout): Map<string, readonly TensorSpec[]> {
  return new Map(
    layout.parts.flatMap(({ number: part, tensors }) => {
      const specs = tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
      return Array.from({ length: layout.ranks }, (_, rank) => [shardFileName(layout, rank, part), specs] as const);
    })
  );
}

const PHASES: Readonly<Record<VllmProgress['phase'], string>> = {
  materialise: 'fetching the model to local disk',
  load: 'vLLM loads',
  save: 'vLLM saves',
  check: 'checking what vLLM wrote',
  upload: 'uploading the shards',
};

function describe({ phase, rank, ranks }: VllmProgress): string {
  return rank === undefined || ranks === undefined ? PHASES[phase] : `${PHASES[phase]} rank ${rank + 1} of ${ranks}`;
}
