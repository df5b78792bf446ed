import { allWords, type CommandWords, type Values } from './words.js';

/** The script for fish. */
export function fishScript(program: CommandWords): string {
  const lines = allWords(program).flatMap((command) => [
    ...command.commands.map((each) => subCommand(command, each)),
    ...argumentLines(command),
    ...command.flags.map((flag) => {
      const names = flag.names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
      const value = flag.takesValue ? ` -r ${valueOf(flag.values)}` : '';
      return `${complete(command.path)} ${names.join(' ')}${value} -d ${quoted(flag.description)}`;
    }),
  ]);
  return `# Completion of model-prefetch for fish. Load it with: model-prefetch completion fish | source
function __model_prefetch_at --description 'Whether these commands were typed, and none below them'
    set -l typed (commandline -opc)
    set -e typed[1]
    set -l path
    for word in $typed
        if contains -- (string trim -- "$path $word") ${allWords(program)
          .filter(({ path }) => path !== '')
          .map(({ path }) => quoted(path))
          .join(' ')}
            set path $path $word
        end
    end
    test "$path" = "$argv[1]"
end
complete -c model-prefetch -f
${lines.join('\n')}
`;
}

function subCommand({ path }: CommandWords, command: CommandWords): string {
  const name = command.path.split(' ').at(-1) ?? '';
  return `${complete(path)} -a ${quoted(name)} -d ${quoted(command.description)}`;
}

function argumentLines({ path, argument }: CommandWords): string[] {
  return argument === 'nothing' ? [] : [`${complete(path)} ${valueOf(argument)}`];
}

function valueOf(values: Values): string {
  if (values === 'nothing') return '-f';
  if (values === 'files') return '-F';
  return values === 'folders' ? `-f -a '(__fish_complete_directories)'` : `-f -a ${quoted(values.join(' '))}`;
}

function complete(path: string): string {
  return `complete -c model-prefetch -n ${quoted(`__model_prefetch_at ${quoted(path)}`)}`;
}

/** In single quotes fish knows these two escapes. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', String.raw`\\`).replaceAll("'", String.raw`\'`)}'`;
}
