import { type CliContext, printJson, printResult } from '../context.js';
import type { CommonOptions, InputOptions } from '../invocation.js';
import { modelId } from '../target.js';

/** Prints the workflow ID of a model. */
export async function runId(options: CommonOptions & InputOptions, context: CliContext): Promise<void> {
  const workflowId = await modelId(options);
  if (options.output === 'json') printJson(context, { workflowId });
  else printResult(context, workflowId);
}
