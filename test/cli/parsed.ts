import { parseArguments } from '../../src/cli/parse-arguments.js';

/** What a command line asks to be run. */
export function invocation(argv: readonly string[]): unknown {
  const parsed = parseArguments(argv, '0.0.0');
  return parsed.kind === 'run' ? parsed.invocation : parsed;
}

/** What a command line asks to be printed. */
export function textOf(argv: readonly string[]): string {
  const parsed = parseArguments(argv, '0.0.0');
  return parsed.kind === 'text' ? parsed.text : '';
}

/** What a command line is refused with. */
export function failure(argv: readonly string[]): unknown {
  try {
    return parseArguments(argv, '0.0.0');
  } catch (error) {
    return error;
  }
}
