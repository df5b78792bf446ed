import type { Writable } from 'node:stream';
import { withoutSecrets } from '../core/foreign-text.js';

/** Where a command writes; a terminal says so, and how wide and high it is. */
export type CliStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** What a command runs with, besides its options. */
export interface CliContext {
  /** The result, and nothing else. */
  readonly stdout: CliStream;
  readonly stderr: CliStream;
  /** Aborted by the first Ctrl-C (or SIGTERM), with an {@link Interrupted}. */
  readonly signal: AbortSignal;
  readonly version: string;
}

/** The reason of the context's signal: a person or a supervisor asked this process to stop. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor() {
    super('interrupted');
  }
}

/** Tells people what happens: one line on stderr. */
export function say(context: Pick<CliContext, 'stderr'>, line: string): void {
  context.stderr.write(`${withoutSecrets(line)}\n`);
}

/** Prints the result on stdout. */
export function printResult(context: Pick<CliContext, 'stdout'>, text: string): void {
  context.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** Prints a value as JSON on stdout. */
export function printJson(context: Pick<CliContext, 'stdout'>, value: unknown): void {
  printResult(context, JSON.stringify(value, null, 2));
}
