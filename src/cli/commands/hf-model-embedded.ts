import { compact } from '../../core/compact.js';
import { type CliContext, Interrupted, say } from '../context.js';
import { printDir } from '../dir-text.js';
import { followRun } from '../progress/follow-run.js';
import { openEmbeddedSession } from '../session/embedded-session.js';
import type { ModelRequest } from './hf-model.js';

/** Brings a model with a server and a worker of this process, and waits for it. */
export async function bringEmbedded({ options, input, settings }: ModelRequest, context: CliContext): Promise<void> {
  const { signal, version } = context;
  const { verbose, output } = options;
  const tell = (line: string) => {
    say(context, line);
  };
  const { shardConfig, resources } = input;
  const vllm =
    shardConfig === undefined || shardConfig.engine === 'native' ? {} : { vllm: compact({ gpu: resources?.gpu }) };
  const session = await openEmbeddedSession({
    ...{ settings, verbose, version, withWorkers: true, signal, say: tell },
    ...vllm,
  });
  try {
    const handle = await session.prefetches.start(input);
    printDir(await followRun(handle, session, context), output, context);
  } catch (error) {
    if (error instanceof Interrupted) tell('Stopping. What has arrived is kept: the same command goes on from there');
    throw error;
  } finally {
    await session.close();
  }
}
