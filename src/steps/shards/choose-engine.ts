import { isPrefetchError, PrefetchError, rewrap } from '../../core/errors.js';
import type { ParsedShardConfig } from '../../core/schemas/input.js';
import { NEWEST_VERIFIED_VLLM } from '../../core/vllm-releases.js';
import { withWayOut } from '../../shard/layout/unsupported.js';
import { parseVllmVersion } from '../../shard/layout/vllm-version.js';

/** Which engine shards, why, and the layout of the native engine where it knows the model. */
export type EngineChoice<T> = { readonly reason: string } & (
  { readonly engine: 'native'; readonly layout: T } | { readonly engine: 'vllm'; readonly layout: T | undefined }
);

/** Takes the engine that was asked for; `auto` is native wherever that was verified, and vLLM otherwise. */
export async function chooseEngine<T>(
  { engine, args }: ParsedShardConfig,
  layOut: () => Promise<T>
): Promise<EngineChoice<T>> {
  refuseOtherParallelism(args);
  if (engine === 'native') {
    return { engine, reason: 'engine native was asked for', layout: await layOut().catch(withWayOut) };
  }
  if (engine === 'vllm') refuseUnreleased(args);
  const { layout, refusal } = await layOutIfVerified(engine, layOut);
  if (engine === 'vllm') return { engine, reason: 'engine vllm was asked for', layout };
  if (layout !== undefined) return { engine: 'native', reason: 'auto: this layout is verified', layout };
  refuseUnreleased(args, refusal);
  return { engine: 'vllm', reason: `auto: ${refusal}`, layout };
}

async function layOutIfVerified<T>(
  engine: 'auto' | 'vllm',
  layOut: () => Promise<T>
): Promise<{ layout?: T; refusal: string }> {
  try {
    return { layout: await layOut(), refusal: '' };
  } catch (error) {
    if (!isForVllm(error, engine)) throw error;
    const { text } = error;
    if (engine === 'auto' && error.details['overruled'] !== undefined) throw otherTensors(error);
    return { refusal: text.length <= MOST_REASON ? text : `${text.slice(0, MOST_REASON)}…` };
  }
}

/** What is broken is no engine's: only what native has not verified is left to vLLM, and what vLLM was asked to decide. */
function isForVllm(error: unknown, engine: 'auto' | 'vllm'): error is PrefetchError {
  if (isPrefetchError(error, 'UnsupportedSharding')) return error.details['broken'] !== true;
  return (
    engine === 'vllm' && isPrefetchError(error, 'InvalidSafetensors') && error.details['reason'] === 'duplicate-tensor'
  );
}

/** Whoever asks for vLLM gets what vLLM takes; `auto` must not choose other weights than the index without a word. */
function otherTensors(error: PrefetchError): PrefetchError {
  const text =
    `${error.text}, so that auto would leave it to vLLM. But ${String(error.details['overruled'])}: take the others out, ` +
    'or ask for engine vllm to accept that';
  return rewrap(error, { code: 'InvalidSafetensors', text, details: { reason: 'duplicate-tensor' } });
}

/** It goes into history, the plan and the manifest. */
const MOST_REASON = 500;

/** An installed vLLM is compared by its release: a commit of main is one that no installation could be. */
function refuseUnreleased({ vllmVersion }: ParsedShardConfig['args'], why?: string): void {
  if (parseVllmVersion(vllmVersion) !== undefined) return;
  throw new PrefetchError(
    'UnsupportedSharding',
    `${why === undefined ? '' : `${why}, and `}engine vllm shards for releases only, not for ${vllmVersion}. ` +
      `Set vllmVersion (--vllm-version) to the release that the worker has, such as ${NEWEST_VERIFIED_VLLM}`,
    { details: { reason: 'vllm-version' } }
  );
}

/** vLLM's shards are by tensor parallel rank alone: stages and experts of several ranks would have one file name. */
function refuseOtherParallelism({
  pipelineParallelSize = 1,
  enableExpertParallel = false,
}: ParsedShardConfig['args']): void {
  if (pipelineParallelSize === 1 && !enableExpertParallel) return;
  const what = enableExpertParallel ? 'enableExpertParallel' : `pipelineParallelSize ${pipelineParallelSize}`;
  throw new PrefetchError(
    'UnsupportedSharding',
    `${what} cannot be sharded: the shards that vLLM loads are by tensor parallel rank only. ` +
      'Leave it out and raise tensorParallelSize, or bring the model without shardConfig and let vLLM split it',
    { details: { reason: 'parallelism' } }
  );
}
