import { isPrefetchError, rewrap } from '../../core/errors.js';
import type { ShardEngine } from '../../core/contract.js';
import type { HubFile } from '../../hub/hub.js';
import { headerByteLength } from '../../safetensors/index.js';
import { findWeights } from '../../shard/checkpoint/find-weights.js';
import { ofMistral } from '../../shard/checkpoint/read-checkpoint.js';
import { readConfig, type ReadFile } from '../../shard/checkpoint/read-json.js';
import { checkFitsRanks } from '../../shard/layout/fits-ranks.js';
import { readModelShape } from '../../shard/layout/model-shape.js';
import { findProfile } from '../../shard/layout/profiles.js';
import { resolveDtype } from '../../shard/layout/target-dtype.js';
import { sourceForVllm } from '../../shard/vllm/source-for-vllm.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import type { ActivityDependencies } from '../dependencies.js';
import { listRepo } from '../list-repo.js';
import { chooseEngine } from './choose-engine.js';
import type { ShardingSpec } from './find-shards.js';

const FILES_AT_ONCE = 4;
/** What is no longer than this may be the pointer that Git LFS left. */
const MOST_POINTER_BYTES = 1024;

/**
 * Which engine will shard, judged by the listing, the index and config.json as the Hub has them; fails where it is sure to
 * refuse, or where the checkpoint is not whole. What the headers say is judged when they are in the store.
 */
export async function foreseeEngine(
  { hub, readToken }: Pick<ActivityDependencies, 'hub' | 'readToken'>,
  spec: ShardingSpec,
  { signal }: { readonly signal: AbortSignal }
): Promise<{ readonly engine: ShardEngine; readonly reason: string }> {
  const { tensorParallelSize, vllmVersion, dtype } = spec.shardConfig.args;
  let files: readonly HubFile[] = [];
  const { engine, reason } = await chooseEngine(spec.shardConfig, async () => {
    const token = await readToken(spec.hfTokenKey);
    const options = { signal, ...(token === undefined ? {} : { token }) };
    files = await listRepo(hub, spec, options);
    const read: ReadFile<HubFile> = ({ path, size }) =>
      hub.read({ repo: spec.repo, commit: spec.commit, path, size }, options);
    const weights = await findWeights(files, read);
    await refusePointers(weights.files, read, { signal });
    if (weights.layout === 'mistral') throw ofMistral();
    const shape = readModelShape(await readConfig(files, read));
    findProfile(shape.architecture, vllmVersion);
    checkFitsRanks(shape, tensorParallelSize);
    resolveDtype(dtype, shape, []);
    return shape;
  });
  if (engine === 'vllm') sourceForVllm(files);
  return engine === 'native' && spec.shardConfig.engine === 'auto' ? { engine, reason: FORESEEN } : { engine, reason };
}

const FORESEEN =
  'auto: config.json and the list of files fit a layout that is known; the headers of the weights are looked at once they ' +
  'are in the store';

/** Weights that were pushed without Git LFS are a few lines of text; real ones are longer, and not read. */
async function refusePointers(
  weights: readonly HubFile[],
  read: ReadFile<HubFile>,
  options: { readonly signal: AbortSignal }
): Promise<void> {
  const suspects = weights.filter(({ size }) => size <= MOST_POINTER_BYTES);
  await forEachAtOnce(suspects, { limit: FILES_AT_ONCE, ...options }, async (file) => {
    const { path, size } = file;
    const bytes = await read(file);
    try {
      headerByteLength(bytes, size);
    } catch (error) {
      if (!isPrefetchError(error, 'InvalidSafetensors') || error.details['reason'] !== 'lfs-pointer') return;
      throw rewrap(error, { text: `${path}: ${error.text}`, details: { path } });
    }
  });
}
