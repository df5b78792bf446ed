import type { Command, CommanderError } from 'commander';
import { PrefetchError } from '../core/errors.js';
import { nearestWord } from '../core/nearest-word.js';
import { adviceFor, commandFor, flagAdviceFor, flagFor } from './usual-words.js';

/** What commander refused, in the words of this tool: with what was meant, and where the help is. */
export function usageError(error: CommanderError, command: Command, argv: readonly string[]): PrefetchError {
  const message = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  return new PrefetchError('InvalidInput', withAdvice(error.code, message, { command, argv }));
}

/** A word in the place of a command that is none. */
export function unknownCommand(word: string, program: Command): PrefetchError {
  const names = program.commands.map((each) => each.name());
  return new PrefetchError('InvalidInput', `unknown command '${word}'. ${adviceOnCommand(word, names)}`);
}

function adviceOnCommand(word: string, names: readonly string[]): string {
  const typed = word.toLowerCase();
  const advice = adviceFor(typed);
  if (advice !== undefined) return `Instead: ${advice}`;
  // A repo alone, as people give it to other tools.
  if (/^(?:https?:\/\/|hf:\/\/|[\w.-]+\/[\w.-]+)/i.test(word)) return `Did you mean: model-prefetch hf-model ${word}`;
  const meant = commandFor(typed, names);
  return meant === undefined
    ? `Commands are ${names.join(', ')}; see model-prefetch --help`
    : `Did you mean ${meant}? See model-prefetch ${meant} --help`;
}

interface Place {
  readonly command: Command;
  readonly argv: readonly string[];
}

function withAdvice(code: string, message: string, place: Place): string {
  switch (code) {
    case 'commander.unknownOption':
      return unknownFlag(message, place.command);
    case 'commander.invalidArgument':
      return wrongValue(message, place.command);
    case 'commander.excessArguments':
      return `${message}${place.argv.some(takesGlob) ? GLOB_ADVICE : ''} See ${nameOf(place.command)} --help`;
    default:
      return `${message}. See ${nameOf(place.command)} --help`;
  }
}

/** Said where the shell took a glob for its own. */
export const GLOB_ADVICE = ' A glob must be in quotes: without, the shell puts the files of this folder in its place.';

function takesGlob(argument: string): boolean {
  return argument.startsWith('--include') || argument.startsWith('--exclude');
}

/** The value behind a "=" may be a secret, so it is left out. */
function unknownFlag(message: string, command: Command): string {
  const [, flag = ''] = /'(-[^'=]*)/.exec(message) ?? [];
  const flags = command.options.flatMap(({ long, hidden }) => (long === undefined || hidden ? [] : [long]));
  const advice = flagAdviceFor(flag);
  if (advice !== undefined) return `unknown option '${flag}'. Instead: ${advice}`;
  const owners = command.commands.filter((each) => each.options.some(({ long }) => long === flag));
  if (owners.length > 0) {
    const names = owners.map((each) => each.name()).join(', ');
    return `'${flag}' is a flag of ${names}: put it behind the command. See ${nameOf(command)} --help`;
  }
  const meant = flagFor(flag, [...flags, '--help']);
  const said = meant === undefined ? '' : ` Did you mean ${meant}?`;
  return `unknown option '${flag}'.${said} See ${nameOf(command)} --help`;
}

/** `--weights: expected hf or mistral, got "gguf"`. */
function wrongValue(message: string, command: Command): string {
  const pattern =
    /^(?:option '[^']*?(--[\w-]+)[^']*'|command-argument) .*?(?:argument|value) '(.*)' is invalid.*?\. (.*)$/s;
  const [, flag = command.registeredArguments[0]?.name(), value, expected] = pattern.exec(message) ?? [];
  if (flag === undefined || value === undefined || expected === undefined) return message;
  const choices = choicesOf(flag, command);
  const wish = choices === undefined ? expected.replace(/^E/, 'e').replace(/\.$/, '') : `expected ${orOf(choices)}`;
  const meant = choices === undefined ? undefined : nearestWord(value, choices);
  return `${flag}: ${wish}, got ${JSON.stringify(value)}${meant === undefined ? '' : `. Did you mean ${meant}?`}`;
}

function choicesOf(name: string, command: Command): readonly string[] | undefined {
  const option = command.options.find(({ long }) => long === name);
  return (option ?? command.registeredArguments.find((argument) => argument.name() === name))?.argChoices;
}

function orOf(words: readonly string[]): string {
  return [words.slice(0, -1).join(', '), words.at(-1)].filter((part) => part !== '').join(' or ');
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}
