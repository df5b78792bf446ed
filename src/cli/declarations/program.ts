import { Argument, Command, Help, type Option } from 'commander';
import { EXAMPLES } from '../help-texts.js';
import { SHELLS, type Shell } from '../invocation.js';
import { addCommonFlags, common, declare, type Flags, type Take } from './command.js';
import { declareHfModel, declareId, declarePlan } from './models.js';
import { declareTarget } from './runs.js';
import { declareDevHub, declareWorker, describeWorker } from './services.js';
import { declareShard, declareVerify } from './shards.js';

/** The whole command line of `model-prefetch`; `take` gets what a call of it comes to. */
export function declareProgram(version: string, take: Take): Command {
  const program = withVersion(new Command('model-prefetch'), version)
    .description('Bring Hugging Face models into your own object store, durably and verified')
    .usage('COMMAND [options]')
    .helpOption('-h, --help', 'Show this help, or that of a command')
    .addHelpText('after', `\n${EXAMPLES.program}`)
    // A command's flags stay in their order, so that a sub-command gets its own.
    .enablePositionalOptions()
    .showSuggestionAfterError(false)
    .configureHelp({ subcommandTerm: termOf, formatHelp: flagsLast })
    .exitOverride();
  program.commandsGroup('Bring models:');
  declareHfModel(program, take);
  declarePlan(program, take);
  declareId(program, take);
  program.commandsGroup('Look and wait:');
  for (const name of ['status', 'result', 'cancel'] as const) declareTarget(program, name, take);
  program.commandsGroup('Shard and check:');
  declareShard(program, take);
  declareVerify(program, take);
  program.commandsGroup('Run workers:');
  declareWorker(program, take);
  declareDevHub(program, take);
  program.commandsGroup('Other:');
  declareCompletion(program, take);
  declareVersion(program, take);
  return program.helpCommand('help [COMMAND]', 'Show the help of a command');
}

/** `model-prefetch-worker`: the command `worker` as a program of its own. */
export function declareWorkerProgram(version: string, take: Take): Command {
  const program = withVersion(new Command('model-prefetch-worker'), version)
    .configureHelp({ formatHelp: flagsLast })
    .exitOverride();
  return describeWorker(program, take);
}

function withVersion(program: Command, version: string): Command {
  return program.optionsGroup('Common flags:').version(version, '-V, --version', 'Print the version');
}

function declareCompletion(program: Command, take: Take): void {
  const command = declare(program, 'completion');
  command.addArgument(new Argument('<SHELL>', 'bash, zsh or fish').choices([...SHELLS]));
  addCommonFlags(command, 'none').action((shell: Shell, flags: Flags) => {
    take({ command: 'completion', options: { ...common(flags), shell } });
  });
}

function declareVersion(program: Command, take: Take): void {
  addCommonFlags(declare(program, 'version')).action((flags: Flags) => {
    take({ command: 'version', options: common(flags) });
  });
}

/** The list of commands says what each works on; its flags stand in its own help. */
function termOf(command: Command): string {
  const args = command.registeredArguments.map((argument) => argument.name());
  return [command.name(), ...args].join(' ');
}

/** Commander puts flags before commands; people look for commands here. */
function flagsLast(command: Command, help: Help): string {
  const text = new Help().formatHelp(command, help);
  const [flags = ''] = /^Common flags:\n(?: .*\n)+\n?/m.exec(text) ?? [];
  return `${text.replace(flags, '').trimEnd()}\n\n${flags.trimEnd()}\n`;
}

/** The flags that stand behind any command. */
export function commonFlagsOf(program: Command): readonly Option[] {
  const [first] = program.commands;
  return first?.options.filter(({ helpGroupHeading }) => helpGroupHeading === 'Common flags:') ?? [];
}
