import { type Command, CommanderError } from 'commander';
import { PrefetchError } from '../core/errors.js';
import { commonFlagsOf, declareProgram, declareWorkerProgram } from './declarations/program.js';
import type { Invocation } from './invocation.js';
import { unknownCommand, usageError } from './usage-error.js';

/** What the command line asks for: to run a command, or only to print something. */
export type Parsed =
  | { readonly kind: 'run'; readonly invocation: Invocation }
  /** Help or the version: the text is the result. */
  | { readonly kind: 'text'; readonly text: string };

/** The programs of this package. */
export type ProgramName = 'model-prefetch' | 'model-prefetch-worker';

/**
 * Arguments in, a plain options object out; no I/O.
 * @throws PrefetchError `InvalidInput` naming the flag
 */
export function parseArguments(argv: readonly string[], version: string, name: ProgramName = 'model-prefetch'): Parsed {
  let invocation: Invocation | undefined;
  let text = '';
  const declareIt = name === 'model-prefetch' ? declareProgram : declareWorkerProgram;
  const program = declareIt(version, (taken) => (invocation = taken));
  for (const command of allCommands(program)) {
    command.configureOutput({ writeOut: (part) => (text += part), writeErr: () => undefined });
  }
  const ordered = name === 'model-prefetch' ? inOrder(argv, program) : inWords(argv);
  try {
    program.parse(ordered, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: 'text', text };
    throw usageError(error, commandOf(ordered, program), ordered);
  }
  if (invocation === undefined) throw new PrefetchError('InvalidInput', `A command is missing. See ${name} --help`);
  return { kind: 'run', invocation };
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

/** Commands whose argument is no path of this machine: what is called "help" there is asked for by hand. */
const HELP_BEHIND = [
  'hf-model',
  'plan',
  'id',
  'status',
  'result',
  'cancel',
  'shard',
  'worker',
  'completion',
  'version',
];

/** The same call as commander takes it: help for a bare call and `help COMMAND`, common flags behind their command. */
function inOrder(argv: readonly string[], program: Command): readonly string[] {
  const [first, second] = argv;
  if (first === undefined) return ['--help'];
  // As docker, node and the Temporal CLI: on a command it is --verbose.
  if (first === '-v' && second === undefined) return ['--version'];
  if (first === 'help') return inOrder([...argv.slice(1), '--help'], program);
  const flags = leadingFlags(argv, program);
  const rest = argv.slice(flags.length);
  const [word, ...behind] = rest;
  // Flags alone are no bare call: a script lost its command.
  if (word === undefined) throw new PrefetchError('InvalidInput', 'A command is missing. See model-prefetch --help');
  if (word.startsWith('-')) return rest;
  if (!program.commands.some((command) => command.name() === word)) throw unknownCommand(word, program);
  if (behind[0] === 'help' && behind.length === 1 && HELP_BEHIND.includes(word)) return [word, '--help'];
  if (word === 'shard' && behind.join(' ') === 'plan help') return [word, 'plan', '--help'];
  const end = behind.includes('--') ? behind.indexOf('--') : behind.length;
  return [word, ...behind.slice(0, end), ...flags, ...behind.slice(end)];
}

/** The program that is one command takes no argument, so that a word can only mean this. */
function inWords(argv: readonly string[]): readonly string[] {
  if (argv.length !== 1) return argv;
  return argv[0] === 'help' ? ['--help'] : argv[0] === 'version' ? ['--version'] : argv;
}

function leadingFlags(argv: readonly string[], program: Command): readonly string[] {
  const options = commonFlagsOf(program);
  let end = 0;
  for (let word = argv[end]; word?.startsWith('-'); word = argv[end]) {
    const [name] = word.split('=');
    const option = options.find(({ long, short }) => [long, short].includes(name));
    if (option === undefined) break;
    end += option.required && name === word ? 2 : 1;
  }
  return argv.slice(0, end);
}

/** The command that a call is about, for the help that a wrong one is sent to. */
function commandOf(argv: readonly string[], command: Command): Command {
  const [word, ...more] = argv;
  const next = command.commands.find((each) => each.name() === word);
  return next === undefined ? command : commandOf(more, next);
}
