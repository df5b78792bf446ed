import { type CliContext, Interrupted, printJson, printResult, say } from '../context.js';
import { printDir } from '../dir-text.js';
import { followHint, runGoesOn } from '../follow-hint.js';
import { followRun } from '../progress/follow-run.js';
import { checkWorkers } from '../session/check-workers.js';
import { openClusterSession } from '../session/cluster-session.js';
import type { ModelRequest } from './hf-model.js';

/** Has the workers of a cluster bring a model; waits for it when asked to. */
export async function bringOnCluster({ options, input, settings }: ModelRequest, context: CliContext): Promise<void> {
  const session = await openClusterSession(settings, options);
  try {
    for (const warning of await checkWorkers(session.client, session.taskQueue, input)) say(context, warning);
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
      if (error instanceof Interrupted) say(context, runGoesOn(workflowId));
      throw error;
    }
  } finally {
    await session.close();
  }
}
