import { type Command, Option } from 'commander';
import { compact } from '../../core/compact.js';
import { limitMs } from '../flag-values.js';
import { EXAMPLES, SUMMARIES, type CommandName } from '../help-texts.js';
import type { CommonOptions, Invocation, OutputFormat } from '../invocation.js';

/** What commander gives for the flags of {@link addCommonFlags}. */
export interface CommonFlags {
  readonly output: OutputFormat;
  readonly json?: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly timeout?: number;
}

/** Flags of a command, as commander gives them. */
export type Flags<T = object> = CommonFlags & T;
/** Takes what a command line came to. */
export type Take = (invocation: Invocation) => void;

/** A command under its parent, with its texts and without flags. */
export function declare(parent: Command, name: CommandName): Command {
  return describe(parent.command(name.split(' ').at(-1) ?? name), name);
}

/** Gives a command its texts. */
export function describe(command: Command, name: CommandName): Command {
  // Whoever shows the help breaks its lines, as wide as the terminal is.
  const [summary = '', ...details] = SUMMARIES[name].split('\n');
  return command
    .summary(summary)
    .description(details.length === 0 ? summary : `${summary}\n\n${details.join(' ')}`)
    .addHelpText('after', `\n${EXAMPLES[name]}`)
    .configureHelp({ optionDescription: (option) => option.description })
    .showSuggestionAfterError(false);
}

/** Declares what every command takes, after its own flags; `none` is for one that has no result to print. */
export function addCommonFlags(command: Command, result: OutputFormat | 'none' = 'text'): Command {
  const output = result === 'none' ? 'text' : result;
  const flags = [
    new Option('-o, --output <format>', `Form of the result on stdout: text or json. Default: ${output}`)
      .choices(['text', 'json'])
      .default(output)
      .hideHelp(result === 'none'),
    new Option('--json', 'The same as --output json').hideHelp(result === 'none'),
    new Option('-q, --quiet', 'Nothing on stderr but failures').default(false),
    new Option('-v, --verbose', 'Stack traces, and the log of the Temporal SDK, on stderr').default(false),
  ];
  command.optionsGroup('Common flags:');
  for (const flag of flags) command.addOption(flag);
  return command.helpOption('-h, --help', 'Show this help');
}

/** Declares `--timeout`, for a command that waits. */
export function addTimeout(command: Command, whatStays: string): Command {
  return command.option(
    '--timeout <duration>',
    `Give up after so long, such as 90s, 10m or 2h; ${whatStays}. Default: never`,
    limitMs
  );
}

/** What every command gets. */
export function common({ output, json, verbose, quiet, timeout: timeoutMs }: CommonFlags): CommonOptions {
  return { output: json === true ? 'json' : output, verbose, quiet, ...compact({ timeoutMs }) };
}
