import { type CliContext, printJson, printResult } from '../context.js';
import type { CommonOptions } from '../invocation.js';

/** Prints the version of this package. */
export function runVersion({ output }: CommonOptions, context: CliContext): void {
  if (output === 'json') printJson(context, { version: context.version });
  else printResult(context, context.version);
}
