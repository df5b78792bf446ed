import { type CliContext, printJson, printResult, say } from '../context.js';
import { followHint, runGoesOn } from '../follow-hint.js';
import { checkWorkers } from '../session/check-workers.js';
import { openClusterSession } from '../session/cluster-session.js';
import type { Session } from '../session/session.js';
import type { ModelRequest, NamedInput } from './hf-model.js';
import { waitForRuns, type NamedRun } from './wait-for-runs.js';

/** Has the workers of a cluster bring models; waits for them when asked to. */
export async function bringOnCluster({ options, models, settings }: ModelRequest, context: CliContext): Promise<void> {
  const session = await openClusterSession(settings, options);
  try {
    for (const warning of await warnings(session, models)) say(context, warning);
    const start = async ({ name, input }: NamedInput): Promise<NamedRun> => ({
      name,
      handle: await session.prefetches.start(input),
    });
    const runs = await Promise.all(models.map(start));
    if (!options.wait) {
      printIds(runs, options, context);
      return;
    }
    for (const { handle } of runs) say(context, `Waiting for ${handle.workflowId}`);
    const onLeave = (left: readonly NamedRun['handle'][]) => {
      for (const { workflowId } of left) say(context, runGoesOn(workflowId));
    };
    await waitForRuns(runs, { session, options, onLeave }, context);
  } finally {
    await session.close();
  }
}

async function warnings(session: Session, models: readonly NamedInput[]): Promise<Set<string>> {
  const checks = models.map(({ input }) => checkWorkers(session.client, session.taskQueue, input));
  return new Set((await Promise.all(checks)).flat());
}

function printIds(runs: readonly NamedRun[], { output }: ModelRequest['options'], context: CliContext): void {
  const ids = runs.map(({ handle: { workflowId } }) => ({ workflowId }));
  for (const { workflowId } of ids) say(context, followHint(workflowId));
  if (output === 'json') printJson(context, ids.length === 1 ? ids[0] : ids);
  else printResult(context, ids.map(({ workflowId }) => workflowId).join('\n'));
}
