import { prefetchWorkflowId } from '../../core/identity.js';
import { parseInput } from '../../core/schemas/parse.js';
import { type CliContext, printJson, printResult } from '../context.js';
import type { CommonOptions, InputOptions } from '../invocation.js';
import { completeInput } from '../shard-config-file.js';

/** Prints the workflow ID of a model. */
export async function runId(options: CommonOptions & InputOptions, context: CliContext): Promise<void> {
  const workflowId = prefetchWorkflowId(parseInput(await completeInput(options)));
  if (options.output === 'json') printJson(context, { workflowId });
  else printResult(context, workflowId);
}
