import { readSettings, type Settings } from '../../config/environment.js';
import type { PrefetchInput } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import type { CliContext } from '../context.js';
import type { HfModelOptions } from '../invocation.js';
import { isTemporalConfigured } from '../session/temporal-config.js';
import { completeInput } from '../shard-config-file.js';
import { readStoreFlag } from '../store-flag.js';

/** All that is known before anything starts. */
export interface ModelRequest {
  readonly options: HfModelOptions;
  readonly input: PrefetchInput;
  readonly settings: Settings;
}

/** Brings a model into the store: in this process, or on the cluster of the environment. */
export async function runHfModel(options: HfModelOptions, context: CliContext): Promise<void> {
  const input = await completeInput(options);
  if (input.rawDataPath !== undefined) readStoreFlag('--raw-data-path', input.rawDataPath);
  const settings = withStore(readSettings(), options);
  // Either way loads the Temporal SDK, which wrong usage must not wait for.
  if (!isTemporalConfigured()) {
    const { bringEmbedded } = await import('./hf-model-embedded.js');
    return bringEmbedded({ options, input, settings }, context);
  }
  if (options.store !== undefined) {
    throw new PrefetchError(
      'InvalidInput',
      "--store: on a cluster the workers' own store is used. For another destination use --raw-data-path"
    );
  }
  const { bringOnCluster } = await import('./hf-model-on-cluster.js');
  return bringOnCluster({ options, input, settings }, context);
}

function withStore(settings: Settings, { store }: HfModelOptions): Settings {
  return store === undefined ? settings : { ...settings, store: readStoreFlag('--store', store) };
}
