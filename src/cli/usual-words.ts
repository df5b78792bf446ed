import { nearestWord } from '../core/nearest-word.js';

/** What people type for a command of ours, as other tools call it. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'hf-model': [
    ...['download', 'pull', 'get', 'fetch', 'prefetch', 'bring', 'add', 'clone', 'install', 'copy', 'cp', 'sync'],
    ...['start', 'run', 'model', 'models', 'hf', 'snapshot', 'snapshot-download', 'load', 'cache', 'warm'],
  ],
  plan: ['dry-run', 'dryrun', 'info', 'inspect', 'size', 'files', 'diff', 'preview'],
  id: ['key', 'hash', 'workflow-id', 'cache-key'],
  status: ['describe', 'show', 'progress', 'ps', 'top', 'state', 'stat'],
  result: ['wait', 'follow', 'watch', 'attach', 'logs', 'log', 'output', 'resume', 'path', 'dir'],
  cancel: ['stop', 'kill', 'terminate', 'abort', 'end'],
  shard: ['split', 'tp', 'tensor-parallel', 'convert', 'partition'],
  verify: ['check', 'validate', 'checksum', 'fsck', 'test'],
  worker: ['workers', 'poll', 'agent', 'daemon', 'up'],
  'dev-hub': ['hub', 'mirror', 'proxy', 'server', 'serve'],
  completion: ['completions', 'autocomplete', 'complete'],
};

/** What has no command here, and how it is done. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ls: 'temporal workflow list --query "WorkflowType = \'prefetchModel\'" lists runs, model-prefetch plan the files of a repo',
  rm: 'a Dir is removed with the tools of its store; model-prefetch cancel ends a run',
  login: 'the token is in HF_TOKEN, or stored by hf auth login',
  upload: 'this tool only brings models from the Hub; hf upload sends them there',
  config: 'all settings are variables: see docs/configuration.md',
  update: 'npm install -g temporal-model-prefetch',
};
const SAME: Readonly<Record<string, string>> = {
  ...{ list: 'ls', scan: 'ls', 'list-runs': 'ls', remove: 'rm', delete: 'rm', del: 'rm', prune: 'rm', clean: 'rm' },
  ...{ auth: 'login', logout: 'login', whoami: 'login', token: 'login', push: 'upload', env: 'config', init: 'config' },
  ...{ upgrade: 'update', configure: 'config', settings: 'config', set: 'config' },
};

/** What people type for a flag of ours. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  '--tensor-parallel-size': ['--tp', '--tp-size', '--tensor-parallel', '--ranks', '--world-size', '-tp'],
  '--revision': ['--branch', '--tag', '--commit', '--ref', '--rev'],
  '--include': ['--allow-patterns', '--allow-pattern', '--pattern', '--files', '--only', '--filter'],
  '--exclude': ['--ignore-patterns', '--ignore-pattern', '--ignore', '--skip', '--without'],
  '--force': ['--force-download', '--no-cache', '--refresh', '--overwrite', '-f'],
  '--to': ['--output-dir', '--out-dir', '--dest', '--destination', '--target', '--out'],
  '--raw-data-path': [
    '--local-dir',
    '--output-dir',
    '--dest',
    '--destination',
    '--target',
    '--to',
    '--bucket',
    '--dir',
  ],
  '--store': ['--cache-dir', '--local-dir', '--root'],
  '--output': ['--format', '--fmt'],
  '--exit-when-idle': ['--idle-timeout', '--max-idle'],
  '--wait': ['--follow', '--watch', '--sync'],
  '--task-queue': ['--queue', '-t'],
  '--quiet': ['--silent', '--no-progress', '-s'],
  '--verbose': ['--debug', '--trace', '-d'],
  '--mem': ['--memory'],
  '--dtype': ['--data-type', '--precision'],
};
const FLAGS_ELSEWHERE: Readonly<Record<string, string>> = {
  '--token': 'a token is no argument, for all may see those: set HF_TOKEN, or name its secret with --hf-token-key',
  '--address': 'set TEMPORAL_ADDRESS, or TEMPORAL_PROFILE',
  '--namespace': 'set TEMPORAL_NAMESPACE, or TEMPORAL_PROFILE',
  '--profile': 'set TEMPORAL_PROFILE for Temporal, AWS_PROFILE for the store',
  '--api-key': 'an API key is no argument, for all may see those: set TEMPORAL_API_KEY',
  '--endpoint': 'set HF_ENDPOINT for the Hub, AWS_ENDPOINT_URL for the store',
  '--region': 'set AWS_REGION',
  '--max-workers': 'set MODEL_PREFETCH_LANES',
  '--dry-run': 'model-prefetch plan shows what hf-model would do',
  '--proxy': 'set HTTPS_PROXY',
};
const SAME_FLAG: Readonly<Record<string, string>> = {
  ...{ '--hf-token': '--token', '--use-auth-token': '--token', '--auth-token': '--token', '-n': '--namespace' },
  ...{ '--endpoint-url': '--endpoint', '--hf-endpoint': '--endpoint', '--temporal-address': '--address' },
  ...{ '--temporal-namespace': '--namespace', '--lanes': '--max-workers', '--concurrency': '--max-workers' },
  ...{ '--workers': '--max-workers', '--parallel': '--max-workers', '--dryrun': '--dry-run', '--env': '--profile' },
};

/** The command that another tool's word stands for, or the one that a mistyped word is nearest to. */
export function commandFor(word: string, names: readonly string[]): string | undefined {
  const others = Object.values(COMMANDS).flat();
  return keyOf(COMMANDS, word) ?? nearestWord(word, names) ?? keyOf(COMMANDS, nearestWord(word, others) ?? '');
}

/** What to do where no command does what a word asks for. */
export function adviceFor(word: string): string | undefined {
  return own(ELSEWHERE, own(SAME, word) ?? word);
}

/** The flag, of those there are, that another tool's flag stands for, or the one that a mistyped one is nearest to. */
export function flagFor(word: string, flags: readonly string[]): string | undefined {
  return ofOurs(word, flags) ?? nearestFlag(word, flags);
}

function ofOurs(word: string, flags: readonly string[]): string | undefined {
  return flags.find((flag) => own(FLAGS, flag)?.includes(word));
}

/** The dashes are no part of the word: they would make all flags alike. Our own flags come first. */
function nearestFlag(word: string, flags: readonly string[]): string | undefined {
  const others = flags.flatMap((flag) => own(FLAGS, flag) ?? []).filter((each) => each.startsWith('--'));
  const nearest = (known: readonly string[]) => {
    const found = nearestWord(
      word.replace(/^-+/, ''),
      known.map((flag) => flag.slice(2))
    );
    return found === undefined ? undefined : `--${found}`;
  };
  return nearest(flags) ?? ofOurs(nearest(others) ?? '', flags);
}

/** What to do where no flag does what a word asks for. */
export function flagAdviceFor(word: string): string | undefined {
  return own(FLAGS_ELSEWHERE, own(SAME_FLAG, word) ?? word);
}

function keyOf(table: Readonly<Record<string, readonly string[]>>, word: string): string | undefined {
  return Object.keys(table).find((name) => own(table, name)?.includes(word));
}

/** Words are what people type: one may be called as something that every object has. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
