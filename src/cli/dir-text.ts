import type { Dir } from '../core/contract.js';
import { coloursOf } from './colours.js';
import { type CliContext, printJson, printResult, say } from './context.js';
import type { OutputFormat } from './invocation.js';
import { counted } from '../core/progress-text.js';
import { amount } from './progress/figures.js';

/** Prints a published Dir: its path alone on stdout, so that a script can take it; what people ask next on stderr. */
export function printDir(dir: Dir, output: OutputFormat, context: CliContext): void {
  tellPublished(dir, context);
  if (output === 'json') printJson(context, dir);
  else printResult(context, dir.path);
}

/** What people ask next about a Dir. */
export function tellPublished(dir: Dir, context: Pick<CliContext, 'stderr'>): void {
  const { good, dim } = coloursOf(context.stderr);
  const { repo, commit, fileCount, totalBytes, manifestPath } = dir;
  say(context, `${good('Published:')} ${repo} at ${commit}, ${counted(fileCount, 'file')}, ${amount(totalBytes)}`);
  say(context, dim(`Manifest:  ${manifestPath}`));
}
