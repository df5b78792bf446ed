import type { Dir } from '../core/contract.js';
import { formatBytes } from '../core/progress-text.js';
import { type CliContext, printJson, printResult, say } from './context.js';
import type { OutputFormat } from './invocation.js';

/** Prints a published Dir: its path alone on stdout, so that a script can take it; what people ask next on stderr. */
export function printDir(dir: Dir, output: OutputFormat, context: CliContext): void {
  say(
    context,
    `Published: ${dir.repo} at ${dir.commit}, ${String(dir.fileCount)} files, ${formatBytes(dir.totalBytes)}`
  );
  say(context, `Manifest:  ${dir.manifestPath}`);
  if (output === 'json') printJson(context, dir);
  else printResult(context, dir.path);
}
