import { allWords, type CommandWords, type FlagWords, type Values } from './words.js';

/** The script for zsh: to be sourced, or kept as `_model-prefetch` in a folder of `$fpath`. */
export function zshScript(program: CommandWords): string {
  return `#compdef model-prefetch
# Completion of model-prefetch for zsh. Load it with: source <(model-prefetch completion zsh)
${allWords(program).map(commandFunction).join('\n')}
if [ "$funcstack[1]" = "_model-prefetch" ]; then
  _model-prefetch "$@"
else
  compdef _model-prefetch model-prefetch
fi
`;
}

function commandFunction({ path, flags, argument, commands }: CommandWords): string {
  const specs = flags.flatMap(flagSpecs);
  if (commands.length === 0) {
    return `${nameOf(path)}() {
  _arguments -s -S \\
${[...specs, ...argumentSpecs(argument)].map((spec) => `    ${spec}`).join(' \\\n')}
}`;
  }
  const names = commands.map((command) => quoted(`${escaped(lastOf(command.path))}:${command.description}`));
  const cases = commands.map((command) => `    (${lastOf(command.path)}) ${nameOf(command.path)} ;;`);
  return `${nameOf(path)}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands
  commands=(
${names.map((name) => `    ${name}`).join('\n')}
  )
  _arguments -s -S -C \\
${[...specs, quoted('1: :->first'), quoted('*:: :->rest')].map((spec) => `    ${spec}`).join(' \\\n')}
  case $state in
  (first)
    _describe -t commands command commands
${argumentAction(argument) === '' ? '' : `    ${argumentAction(argument)}\n`}    ;;
  (rest)
    case $line[1] in
${cases.join('\n')}
    esac
    ;;
  esac
}`;
}

/** One for each name, which keeps the other one from being offered too. */
function flagSpecs({ names, description, takesValue, repeatable, values }: FlagWords): string[] {
  return names.map((name) => {
    const others = repeatable ? '*' : names.length > 1 ? `(${names.join(' ')})` : '';
    const form = takesValue && name.startsWith('--') ? `${name}=` : name;
    const value = takesValue ? `:${name.replace(/^-+/, '')}:${action(values)}` : '';
    return quoted(`${others}${form}[${description.replaceAll(/[[\]:\\]/g, String.raw`\$&`)}]${value}`);
  });
}

function argumentSpecs(argument: Values): string[] {
  return argument === 'nothing' ? [] : [quoted(`1:argument:${action(argument)}`)];
}

function action(values: Values): string {
  if (values === 'nothing') return ' ';
  if (values === 'files') return '_files';
  if (values === 'folders') return '_files -/';
  return `(${values.join(' ')})`;
}

function argumentAction(argument: Values): string {
  return argument === 'folders' ? '_files -/' : '';
}

function nameOf(path: string): string {
  return path === '' ? '_model-prefetch' : `_model-prefetch_${path.replaceAll(' ', '_')}`;
}

function lastOf(path: string): string {
  return path.split(' ').at(-1) ?? '';
}

function escaped(text: string): string {
  return text.replaceAll(':', String.raw`\:`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
