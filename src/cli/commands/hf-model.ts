import { readSettings, storeRoot, type Settings } from '../../config/environment.js';
import type { PrefetchInput } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import { type CliContext, Interrupted, printJson, printResult, say } from '../context.js';
import { printDir } from '../dir-text.js';
import type { HfModelOptions } from '../invocation.js';
import { followRun } from '../progress/follow-run.js';
import { checkWorkers } from '../session/check-workers.js';
import { openClusterSession } from '../session/cluster-session.js';
import { openEmbeddedSession } from '../session/embedded-session.js';
import { isTemporalConfigured } from '../session/temporal-config.js';
import { completeInput } from '../shard-config-file.js';

/** Brings a model into the store: in this process, or on the cluster of the environment. */
export async function runHfModel(options: HfModelOptions, context: CliContext): Promise<void> {
  const input = await completeInput(options);
  const settings = withStore(readSettings(), options);
  if (!(await isTemporalConfigured(settings))) return runEmbedded({ options, input, settings }, context);
  if (options.store !== undefined) {
    throw new PrefetchError(
      'InvalidInput',
      "--store: on a cluster the workers' own store is used. For another destination use --raw-data-path"
    );
  }
  return runOnCluster({ options, input, settings }, context);
}

interface Request {
  readonly options: HfModelOptions;
  readonly input: PrefetchInput;
  readonly settings: Settings;
}

function withStore(settings: Settings, { store }: HfModelOptions): Settings {
  return store === undefined ? settings : { ...settings, store: storeRoot('--store', store) };
}

async function runEmbedded({ options, input, settings }: Request, context: CliContext): Promise<void> {
  const { signal } = context;
  const { verbose, output } = options;
  const tell = (line: string) => {
    say(context, line);
  };
  const session = await openEmbeddedSession({ settings, verbose, withWorkers: true, signal, say: tell });
  try {
    const handle = await session.prefetches.start(input, { restartRunning: true });
    printDir(await followRun(handle, session, context), output, context);
  } catch (error) {
    if (error instanceof Interrupted) tell('Stopping. What has arrived is kept: the same command goes on from there');
    throw error;
  } finally {
    await session.close();
  }
}

async function runOnCluster({ options, input, settings }: Request, context: CliContext): Promise<void> {
  const session = await openClusterSession(settings, options);
  try {
    const warning = await checkWorkers(session.client, session.taskQueue);
    if (warning !== undefined) say(context, warning);
    const handle = await session.prefetches.start(input);
    const { workflowId } = handle;
    if (!options.wait) {
      say(context, followHint(workflowId));
      if (options.output === 'json') printJson(context, { workflowId });
      else printResult(context, workflowId);
      return;
    }
    say(context, `Waiting for ${workflowId}`);
    try {
      printDir(await followRun(handle, session, context), options.output, context);
    } catch (error) {
      if (error instanceof Interrupted)
        say(context, `The run goes on without this process.\n${followHint(workflowId)}`);
      throw error;
    }
  } finally {
    await session.close();
  }
}

function followHint(workflowId: string): string {
  return [
    'Follow it with one of:',
    `  model-prefetch status ${workflowId}`,
    `  model-prefetch result ${workflowId}`,
    `  temporal workflow show --workflow-id ${workflowId}`,
  ].join('\n');
}
