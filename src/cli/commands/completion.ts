import { bashScript } from '../completion/bash.js';
import { fishScript } from '../completion/fish.js';
import { wordsOf } from '../completion/words.js';
import { zshScript } from '../completion/zsh.js';
import { type CliContext, printResult } from '../context.js';
import { declareProgram } from '../declarations/program.js';
import type { CompletionOptions } from '../invocation.js';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Prints the script that completes this command line in a shell. */
export function runCompletion({ shell }: CompletionOptions, context: CliContext): void {
  const program = declareProgram(context.version, () => undefined);
  printResult(context, SCRIPTS[shell](wordsOf(program)));
}
