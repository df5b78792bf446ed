import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPE } from '../../core/contract.js';

/** Terminates every open prefetch: only for who has the home alone, before anybody may join. */
export async function terminateOpenRuns(client: Client, reason: string): Promise<void> {
  const query = `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    // The list may be a moment old: one that has ended meanwhile is what we want.
    await client.workflow
      .getHandle(workflowId, runId)
      .terminate(reason)
      .catch(() => undefined);
  }
}
