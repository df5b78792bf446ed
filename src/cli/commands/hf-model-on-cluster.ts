import { type CliContext, printJson, printResult, say } from '../context.js';
import { followHint, runGoesOn } from '../follow-hint.js';
import { checkWorkers } from '../session/check-workers.js';
import { openClusterSession } from '../session/cluster-session.js';
import type { Session } from '../session/session.js';
import type { ModelRequest, NamedInput } from './hf-model.js';
import { failForNotStarted, startRuns, waitForRuns, type NamedRun } from './wait-for-runs.js';

/** Has the workers of a cluster bring models; waits for them when asked to. */
export async function bringOnCluster({ options, models, settings }: ModelRequest, context: CliContext): Promise<void> {
  const session = await openClusterSession(settings, options);
  try {
    for (const warning of await warnings(session, models)) say(context, warning);
    const { runs, notStarted } = await startRuns(models, (input) => session.prefetches.start(input), options, context);
    if (!options.wait) {
      printIds(runs, { options, isOne: models.length === 1 }, context);
      failForNotStarted(notStarted, models.length);
      return;
    }
    for (const { handle } of runs) say(context, `Waiting for ${handle.workflowId}`);
    const onLeave = (left: readonly NamedRun['handle'][]) => {
      for (const { workflowId } of left) say(context, runGoesOn(workflowId));
    };
    await waitForRuns(runs, { session, options, onLeave, notStarted }, context);
  } finally {
    await session.close();
  }
}

async function warnings(session: Session, models: readonly NamedInput[]): Promise<Set<string>> {
  const checks = models.map(({ input }) => checkWorkers(session.client, session.taskQueue, input));
  return new Set((await Promise.all(checks)).flat());
}

interface Printing {
  readonly options: ModelRequest['options'];
  readonly isOne: boolean;
}

function printIds(runs: readonly NamedRun[], { options: { output }, isOne }: Printing, context: CliContext): void {
  const ids = runs.map(({ handle: { workflowId } }) => ({ workflowId }));
  for (const { workflowId } of ids) say(context, followHint(workflowId));
  if (output === 'json') printJson(context, isOne ? ids[0] : ids);
  else printResult(context, ids.map(({ workflowId }) => workflowId).join('\n'));
}
