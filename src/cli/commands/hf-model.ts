import { readSettings, type Settings } from '../../config/environment.js';
import type { PrefetchInput } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import { prefetchWorkflowId } from '../../core/identity.js';
import { assertInput } from '../../core/schemas/parse.js';
import type { CliContext } from '../context.js';
import type { HfModelOptions, InputOptions } from '../invocation.js';
import { isTemporalConfigured } from '../session/temporal-config.js';
import { completeInput } from '../shard-config-file.js';
import { checkStoreVariable, readStoreFlag } from '../store-flag.js';

/** All that is known before anything starts. */
export interface ModelRequest {
  readonly options: HfModelOptions;
  /** One for each model, by the name that people are told. */
  readonly models: readonly NamedInput[];
  readonly settings: Settings;
}

/** The input of a run, and what it is called where there are several. */
export interface NamedInput {
  readonly name: string;
  readonly input: PrefetchInput;
}

/** Brings models into the store: in this process, or on the cluster of the environment. */
export async function runHfModel(options: HfModelOptions, context: CliContext): Promise<void> {
  const models = await readModels([options, ...(options.others ?? [])]);
  const settings = withStore(readSettings(), options);
  // Either way loads the Temporal SDK, which wrong usage must not wait for.
  if (!isTemporalConfigured()) {
    checkStoreVariable(settings);
    const { bringEmbedded } = await import('./hf-model-embedded.js');
    return bringEmbedded({ options, models, settings }, context);
  }
  if (options.store !== undefined) {
    throw new PrefetchError(
      'InvalidInput',
      "--store: on a cluster the workers' own store is used. For another destination use --raw-data-path"
    );
  }
  const { bringOnCluster } = await import('./hf-model-on-cluster.js');
  return bringOnCluster({ options, models, settings }, context);
}

/** What is asked for twice is one run. */
async function readModels(asked: readonly InputOptions[]): Promise<NamedInput[]> {
  const inputs = new Map<string, PrefetchInput>();
  for (const one of asked) {
    const input = await completeInput(one);
    if (input.rawDataPath !== undefined) readStoreFlag('--raw-data-path', input.rawDataPath);
    assertInput(input);
    inputs.set(prefetchWorkflowId(input), input);
  }
  const all = [...inputs.values()];
  return all.map((input) => ({ input, name: nameOf(input, all) }));
}

function nameOf({ repo, revision = 'main' }: PrefetchInput, all: readonly PrefetchInput[]): string {
  return all.filter((other) => other.repo === repo).length === 1 ? repo : `${repo}@${revision}`;
}

function withStore(settings: Settings, { store }: HfModelOptions): Settings {
  return store === undefined ? settings : { ...settings, store: readStoreFlag('--store', store) };
}
