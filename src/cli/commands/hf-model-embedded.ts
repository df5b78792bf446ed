import { compact } from '../../core/compact.js';
import { type CliContext, say } from '../context.js';
import { openEmbeddedSession } from '../session/embedded-session.js';
import type { ModelRequest, NamedInput } from './hf-model.js';
import { startRuns, waitForRuns } from './wait-for-runs.js';

/** Brings models with a server and a worker of this process, and waits for them. */
export async function bringEmbedded({ options, models, settings }: ModelRequest, context: CliContext): Promise<void> {
  const { signal, version } = context;
  const { verbose } = options;
  const tell = (line: string) => {
    say(context, line);
  };
  const session = await openEmbeddedSession({
    ...{ settings, verbose, version, withWorkers: true, signal, say: tell },
    ...vllmFor(models),
  });
  try {
    const { runs, notStarted } = await startRuns(models, (input) => session.prefetches.start(input), options, context);
    const onLeave = () => {
      tell('Stopping. What has arrived is kept: the same command goes on from there');
    };
    await waitForRuns(runs, { session, options, onLeave, notStarted }, context);
  } finally {
    await session.close();
  }
}

function vllmFor(models: readonly NamedInput[]): { readonly vllm?: { readonly gpu?: string } } {
  const needing = models.find(
    ({ input: { shardConfig } }) => shardConfig !== undefined && shardConfig.engine !== 'native'
  );
  return needing === undefined ? {} : { vllm: compact({ gpu: needing.input.resources?.gpu }) };
}
