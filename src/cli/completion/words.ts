import type { Command, Option } from 'commander';

/** What a value is completed with: a list of words, paths of this machine, or nothing. */
export type Values = readonly string[] | 'files' | 'folders' | 'nothing';

/** A flag as a shell completes it. */
export interface FlagWords {
  /** `-o` and `--output`. */
  readonly names: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly repeatable: boolean;
  readonly values: Values;
}

/** A command as a shell completes it. */
export interface CommandWords {
  /** `shard plan`; empty for the program itself. */
  readonly path: string;
  readonly description: string;
  readonly flags: readonly FlagWords[];
  readonly argument: Values;
  readonly commands: readonly CommandWords[];
}

/** All that a shell can complete, from the declaration of the command line. */
export function wordsOf(program: Command, path = ''): CommandWords {
  const help = program.createHelp();
  const commands = help
    .visibleCommands(program)
    .map((command) => wordsOf(command, path === '' ? command.name() : `${path} ${command.name()}`));
  const [argument] = program.registeredArguments;
  return {
    path,
    description: program.summary() || program.description(),
    flags: help.visibleOptions(program).map(flagWords),
    argument: argumentValues(argument?.name(), argument?.argChoices),
    commands: commands.map((command) => (command.path === 'help' ? withArgument(command, commands) : command)),
  };
}

/** `help` takes the name of a command. */
function withArgument(help: CommandWords, commands: readonly CommandWords[]): CommandWords {
  return { ...help, argument: commands.map((command) => command.path).filter((path) => path !== 'help') };
}

/** Every command that has commands or flags of its own, the program first. */
export function allWords(words: CommandWords): CommandWords[] {
  return [words, ...words.commands.flatMap(allWords)];
}

function flagWords(option: Option): FlagWords {
  const { short, long, required } = option;
  const value = /<(.*?)>/.exec(option.flags)?.[1];
  return {
    names: [short, long].filter((name) => name !== undefined),
    description: option.description,
    takesValue: required,
    repeatable: option.description.includes('repeatable'),
    values: option.argChoices ?? pathsFor(value),
  };
}

function argumentValues(name: string | undefined, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return choices;
  return name === 'DIR' ? 'folders' : 'nothing';
}

/** By what the help calls the value: a store may be a folder of this machine. */
function pathsFor(value: string | undefined): Values {
  if (value === 'file') return 'files';
  return value === 'url' ? 'folders' : 'nothing';
}
