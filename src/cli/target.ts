import { prefetchWorkflowId } from '../core/identity.js';
import { assertInput } from '../core/schemas/parse.js';
import type { TargetOptions } from './invocation.js';
import { completeInput } from './shard-config-file.js';

/** The workflow ID that a command is about. */
export async function targetId(options: TargetOptions): Promise<string> {
  if ('workflowId' in options) return options.workflowId;
  const input = await completeInput(options);
  assertInput(input);
  return prefetchWorkflowId(input);
}
