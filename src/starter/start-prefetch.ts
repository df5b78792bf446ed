import type { Client, WorkflowHandle } from '@temporalio/client';
import { WORKFLOW_TYPE } from '../core/contract.js';
import { prefetchWorkflowId, repoOnHub } from '../core/identity.js';
import type { ParsedInput } from '../core/schemas/input.js';
import { assertInput, parseInput } from '../core/schemas/parse.js';

/** Where a run is started, and what becomes of one that is there. */
export interface StartOptions {
  /** Base name of the queues. */
  readonly taskQueue: string;
  /** Ends a run that is under way and starts anew. For an owner of the only worker, which knows that the run's worker died. */
  readonly restartRunning?: boolean;
}

/**
 * Starts the prefetch or joins the running one. A finished one runs again, which is cheap: it finds the published Dir.
 * @throws PrefetchError `InvalidInput` before anything is sent
 */
export async function startPrefetch(client: Client, input: unknown, options: StartOptions): Promise<WorkflowHandle> {
  assertInput(input);
  return client.workflow.start(WORKFLOW_TYPE, {
    workflowId: prefetchWorkflowId(input),
    taskQueue: options.taskQueue,
    args: [input],
    workflowIdConflictPolicy: options.restartRunning === true ? 'TERMINATE_EXISTING' : 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: summary(parseInput(input)),
  });
}

/** The line that the Temporal UI shows beside the workflow. */
function summary(input: ParsedInput): string {
  return `Prefetch ${repoOnHub(input)}@${input.revision}`.slice(0, 200);
}
