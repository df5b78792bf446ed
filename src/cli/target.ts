import { WORKFLOW_TYPE } from '../core/contract.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { prefetchWorkflowId } from '../core/identity.js';
import { assertInput } from '../core/schemas/parse.js';
import type { PrefetchHandle, PrefetchStatus } from '../client.js';
import type { InputOptions, TargetCandidate } from './invocation.js';
import type { Session } from './session/session.js';
import { completeInput } from './shard-config-file.js';

/** The workflow ID of a model. */
export async function modelId(options: InputOptions): Promise<string> {
  const input = await completeInput(options);
  assertInput(input);
  return prefetchWorkflowId(input);
}

/** The workflow IDs that an argument may mean, in the order that they are looked for; no I/O but the file of a flag. */
export async function targetIds(candidates: readonly TargetCandidate[]): Promise<readonly string[]> {
  return Promise.all(
    candidates.map(async (candidate) => ('workflowId' in candidate ? candidate.workflowId : modelId(candidate)))
  );
}

/** A run that there is, and how it stood when it was looked for. */
export interface Found {
  readonly handle: PrefetchHandle;
  readonly status: PrefetchStatus;
}

/**
 * The first run that there is. A second meaning is a guess, so it counts for runs of this package only: nobody's other
 * workflow may be cancelled for having the name of a model.
 * @throws PrefetchError `WorkflowNotFound` that says what was looked for, and how a run is named
 */
export async function findRun(ids: readonly string[], { prefetches, client }: Session): Promise<Found> {
  for (const [at, id] of ids.entries()) {
    const handle = prefetches.get(id);
    const status = await handle.status().catch(unlessMissing);
    if (status === undefined) continue;
    if (at === 0 || (await client.workflow.getHandle(id).describe()).type === WORKFLOW_TYPE) return { handle, status };
  }
  throw notFound(ids);
}

function unlessMissing(error: unknown): undefined {
  if (!isPrefetchError(error, 'WorkflowNotFound')) throw error;
}

function notFound(ids: readonly string[]): PrefetchError {
  return new PrefetchError(
    'WorkflowNotFound',
    `There is no workflow with the ID ${ids.join(', and none with the ID ')}. A run of a model is found by REPO and the ` +
      'flags that it was started with, any other by --workflow-id'
  );
}
