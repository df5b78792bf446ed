import { Writable } from 'node:stream';
import { withoutSecrets } from '../core/foreign-text.js';

/** Where a command writes; a terminal says so, and how wide and high it is. */
export type CliStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** What a command runs with, besides its options. */
export interface CliContext {
  /** The result, and nothing else. */
  readonly stdout: CliStream;
  /** Progress and notes; nothing of it is seen with `--quiet`. */
  readonly stderr: CliStream;
  /** What went wrong, which `--quiet` does not keep away. */
  readonly failures: CliStream;
  /** Aborted by the first Ctrl-C (or SIGTERM), with an {@link Interrupted}, and by `--timeout`, with a {@link GaveUp}. */
  readonly signal: AbortSignal;
  readonly version: string;
}

/** The reason of the context's signal: a person or a supervisor asked this process to stop. */
export class Interrupted extends Error {
  override readonly name: string = 'Interrupted';

  constructor(message = 'interrupted') {
    super(message);
  }
}

/** The time of `--timeout` is over: all ends as with Ctrl-C, and is told as a failure. */
export class GaveUp extends Interrupted {
  override readonly name = 'GaveUp';
}

/** A command failed and has told it in a form of its own; only the exit code is left to say. */
export class ToldFailure extends Error {
  override readonly name = 'ToldFailure';

  constructor(cause: unknown) {
    super('told', { cause });
  }
}

/** Where notes go that nobody wants. */
export function nowhere(): CliStream {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
}

/** Tells people what happens: one line on stderr. */
export function say(context: Pick<CliContext, 'stderr'>, line: string): void {
  context.stderr.write(`${withoutSecrets(line)}\n`);
}

/** Tells what is wrong: one line on stderr, whatever `--quiet` says. */
export function complain(context: Pick<CliContext, 'failures'>, line: string): void {
  context.failures.write(`${withoutSecrets(line)}\n`);
}

/** Prints the result on stdout. */
export function printResult(context: Pick<CliContext, 'stdout'>, text: string): void {
  context.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** Prints a value as JSON on stdout. */
export function printJson(context: Pick<CliContext, 'stdout'>, value: unknown): void {
  printResult(context, JSON.stringify(value, null, 2));
}
