import { isPrefetchError } from '../core/errors.js';
import { shortened, withoutSecrets } from '../core/foreign-text.js';
import { coloursOf } from './colours.js';
import { type CliStream, Interrupted } from './context.js';
import { columnsOf } from './progress/live-block.js';
import { wrapWords } from './word-wrap.js';

/** What stderr gets for a failure: `Code: message`, with the stack only when asked for. */
export function describeFailure(error: unknown, options: { readonly verbose: boolean }): string {
  return shortened(withoutSecrets(textOf(error, options)), options.verbose ? 40_000 : 8_000);
}

function textOf(error: unknown, options: { readonly verbose: boolean }): string {
  if (options.verbose && error instanceof Error) return withCauses(error);
  if (isPrefetchError(error)) return error.message;
  return `Internal: ${error instanceof Error ? error.message : String(error)} (--verbose shows more)`;
}

/** A failure as a person reads it: the code stands out, and a terminal breaks no word. */
export function showFailure(text: string, stream: CliStream): string {
  const lines = stream.isTTY === true ? wrapWords(text, columnsOf(stream)).join('\n') : text;
  return lines.replace(/^\w+(?=: )/, (code) => coloursOf(stream).bad(code));
}

/** 2 for what was found wrong before anything started; a run that failed is 1, whatever its code. */
export function exitCodeOf(error: unknown): 1 | 2 | 130 {
  if (error instanceof Interrupted) return 130;
  const ofRun = isPrefetchError(error) && error.details['workflowId'] !== undefined;
  return isPrefetchError(error, 'InvalidInput') && !ofRun ? 2 : 1;
}

function withCauses(error: Error): string {
  const text = error.message !== '' && error.stack?.includes(error.message) === true ? error.stack : error.message;
  return error.cause instanceof Error ? `${text}\nCaused by: ${withCauses(error.cause)}` : text;
}
