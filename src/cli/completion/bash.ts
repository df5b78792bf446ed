import { allWords, type CommandWords, type FlagWords, type Values } from './words.js';

/** The script for bash, from 3.2 on: it needs no package of completions. */
export function bashScript(program: CommandWords): string {
  const commands = allWords(program);
  return `# Completion of model-prefetch for bash. Load it with: source <(model-prefetch completion bash)
_model_prefetch() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev='' at=1 path='' word
  COMPREPLY=()
  (( COMP_CWORD > 0 )) && prev=\${COMP_WORDS[COMP_CWORD - 1]}
  # Bash makes three words of "--flag=value".
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  while (( at < COMP_CWORD )); do
    word=\${COMP_WORDS[at]}
    case "$path $word" in
${commands.flatMap(descents).join('\n')}
    esac
    (( at++ ))
  done
  case "$path $prev" in
${commands.flatMap(valueCases).join('\n')}
  esac
  local flags='' words='' paths=''
  case "$path" in
${commands.map(commandCase).join('\n')}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  else
    _model_prefetch_values "$words" "$paths"
  fi
}
_model_prefetch_values() {
  if [[ $2 == files ]]; then
    compopt -o filenames 2>/dev/null
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$cur"))
  elif [[ $2 == folders ]]; then
    compopt -o filenames 2>/dev/null
    local IFS=$'\\n'
    COMPREPLY=($(compgen -d -- "$cur"))
  else
    COMPREPLY=($(compgen -W "$1" -- "$cur"))
  fi
}
complete -F _model_prefetch model-prefetch
`;
}

/** `path` follows the commands that were typed. */
function descents({ path, commands }: CommandWords): string[] {
  return commands.map((command) => {
    const name = command.path.split(' ').at(-1) ?? '';
    return `      '${path} ${name}') path='${command.path}' ;;`;
  });
}

function valueCases({ path, flags }: CommandWords): string[] {
  return flags
    .filter(({ takesValue }) => takesValue)
    .map(({ names, values }) => {
      const cases = names.map((name) => `'${path} ${name}'`).join(' | ');
      return `    ${cases}) _model_prefetch_values ${argumentsOf(values)}; return ;;`;
    });
}

function argumentsOf(values: Values): string {
  if (values === 'nothing') return `'' ''`;
  return typeof values === 'string' ? `'' ${values}` : `'${values.join(' ')}' ''`;
}

function commandCase({ path, flags, argument, commands }: CommandWords): string {
  const names = commands.map((command) => command.path.split(' ').at(-1) ?? '');
  const words = [...names, ...(typeof argument === 'string' ? [] : argument)];
  const paths = typeof argument === 'string' && argument !== 'nothing' ? argument : '';
  // Names of commands and folders at once: of a command that takes a folder, the folder is what people look for.
  const shown = paths === '' ? words.join(' ') : '';
  return `    '${path}') flags='${flags.flatMap(allNames).join(' ')}'; words='${shown}'; paths='${paths}' ;;`;
}

function allNames({ names }: FlagWords): readonly string[] {
  return names;
}
