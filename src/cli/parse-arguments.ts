import { Command, CommanderError, Option } from 'commander';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../config/worker-settings.js';
import { compact } from '../core/compact.js';
import { PrefetchError } from '../core/errors.js';
import { ROLES, type Role } from '../core/queues.js';
import { durationMs, portNumber, releaseOfVllm, wholeNumber } from './flag-values.js';
import { EXAMPLES, SUMMARIES, type CommandName } from './help-texts.js';
import { addInputFlags, hasInputFlags, readInputFlags, type InputFlags } from './input-flags.js';
import type { CommonOptions, Invocation, OutputFormat, ShardOptions, TargetOptions } from './invocation.js';
import { addShardFlags, missing, readShardFlags, type ShardFlags } from './shard-flags.js';

/** What the command line asks for: to run a command, or only to print something. */
export type Parsed =
  | { readonly kind: 'run'; readonly invocation: Invocation }
  /** Help or the version: the text is the result. */
  | { readonly kind: 'text'; readonly text: string };

const REPO = 'Repo on the Hub: owner/name, owner/name@revision, or the address of its page';

type Flags<T = object> = CommonOptions & T;
type Take = (invocation: Invocation) => void;

/**
 * Arguments in, a plain options object out; no I/O.
 * @throws PrefetchError `InvalidInput` naming the flag
 */
export function parseArguments(argv: readonly string[], version: string): Parsed {
  let invocation: Invocation | undefined;
  let text = '';
  const program = declareProgram(version, (taken) => (invocation = taken));
  for (const command of allCommands(program)) {
    command.configureOutput({ writeOut: (part) => (text += part), writeErr: () => undefined });
  }
  try {
    program.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: 'text', text };
    throw usageError(error, argv);
  }
  if (invocation === undefined)
    throw new PrefetchError('InvalidInput', 'A command is missing. See model-prefetch --help');
  return { kind: 'run', invocation };
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

function usageError(error: CommanderError, argv: readonly string[]): PrefetchError {
  if (argv.length === 0) return new PrefetchError('InvalidInput', 'A command is missing. See model-prefetch --help');
  return new PrefetchError('InvalidInput', error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' '));
}

function declareProgram(version: string, take: Take): Command {
  const program = new Command('model-prefetch')
    .description('Bring Hugging Face models into your own object store, durably and verified')
    .version(version, '--version', 'Print the version')
    .helpOption('--help', 'Show this help')
    .helpCommand(false)
    // A command's flags stay in their order, so that a sub-command gets its own.
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText('after', `\n${EXAMPLES.program}`);
  declareHfModel(program, take);
  declareId(program, take);
  for (const name of ['status', 'result', 'cancel'] as const) declareTarget(program, name, take);
  declarePlan(program, take);
  declareShard(program, take);
  declareVerify(program, take);
  declareWorker(program, take);
  declareDevHub(program, take);
  return program;
}

function declare(program: Command, name: CommandName, output: OutputFormat = 'text'): Command {
  // Whoever shows the help breaks its lines, as wide as the terminal is.
  const [summary = '', ...details] = SUMMARIES[name].split('\n');
  return program
    .command(name.split(' ').at(-1) ?? name)
    .summary(summary)
    .description(details.length === 0 ? summary : `${summary}\n\n${details.join(' ')}`)
    .addHelpText('after', `\n${EXAMPLES[name]}`)
    .addOption(
      new Option('--output <format>', 'Form of the result on stdout').choices(['text', 'json']).default(output)
    )
    .option('--verbose', 'Add stack traces and the log of the Temporal SDK on stderr', false);
}

function declareHfModel(program: Command, take: Take): void {
  addInputFlags(declare(program, 'hf-model').argument('<REPO>', REPO))
    .option('--wait', 'Wait for the result (embedded: always)', false)
    .option('--store <url>', 'Root of the store, embedded mode only. Default: MODEL_PREFETCH_STORE')
    .action((repo: string, flags: Flags<InputFlags & { wait: boolean; store?: string }>) => {
      const options = { ...readInputFlags(repo, flags), ...common(flags), wait: flags.wait };
      take({ command: 'hf-model', options: { ...options, ...compact({ store: flags.store }) } });
    });
}

function declareId(program: Command, take: Take): void {
  addInputFlags(declare(program, 'id').argument('<REPO>', REPO), { identityOnly: true }).action(
    (repo: string, flags: Flags<InputFlags>) => {
      take({ command: 'id', options: { ...readInputFlags(repo, flags), ...common(flags) } });
    }
  );
}

function declareTarget(program: Command, name: 'status' | 'result' | 'cancel', take: Take): void {
  const command = declare(program, name).argument(
    '<WORKFLOW_ID|REPO>',
    'Workflow ID, or REPO with the flags it was started with'
  );
  addInputFlags(command, { identityOnly: true }).action((target: string, flags: Flags<InputFlags>) => {
    take({ command: name, options: targetOptions(target, flags) });
  });
}

function targetOptions(target: string, flags: Flags<InputFlags>): TargetOptions {
  // A workflow ID has the revision after an "@", which no repo has in its name; an address of one may have it.
  if (!target.includes('@') || /^(?:https?|hf):\/\//i.test(target))
    return { ...readInputFlags(target, flags), ...common(flags) };
  if (hasInputFlags(flags)) {
    throw new PrefetchError(
      'InvalidInput',
      'WORKFLOW_ID: it names the run completely; leave out the flags of the model'
    );
  }
  return { workflowId: target, ...common(flags) };
}

function declarePlan(program: Command, take: Take): void {
  addInputFlags(declare(program, 'plan').argument('<REPO>', REPO), { identityOnly: false })
    .option('--store <url>', 'Root of the store. Default: MODEL_PREFETCH_STORE, else the embedded store')
    .action((repo: string, flags: Flags<InputFlags & { store?: string }>) => {
      const options = { ...readInputFlags(repo, flags), ...common(flags), ...compact({ store: flags.store }) };
      take({ command: 'plan', options });
    });
}

function declareShard(program: Command, take: Take): void {
  const shard = addShardFlags(
    declare(program, 'shard', 'json').argument('<DIR>', 'Dir or folder with a checkpoint: a URL, or a path')
  )
    // What follows "plan" belongs to it.
    .enablePositionalOptions()
    .option('--to <url>', 'The new Dir: s3://bucket/folder, file:///folder, or a path; required')
    .option('--force <number>', 'A new number writes all shards anew, and trusts none that are there', wholeNumber)
    .action((dir: string, flags: Flags<ShardFlags & { to?: string; force?: number }>) => {
      if (flags.to === undefined) throw missing('--to <url>');
      take({
        command: 'shard',
        options: { ...shardOptions(dir, flags), to: flags.to, ...compact({ force: flags.force }) },
      });
    });
  addShardFlags(
    declare(shard, 'shard plan').argument('<DIR>', 'Dir or folder with a checkpoint: a URL, or a path')
  ).action((dir: string, flags: Flags<ShardFlags>) => {
    take({ command: 'shard plan', options: shardOptions(dir, flags) });
  });
}

function shardOptions(dir: string, flags: Flags<ShardFlags>): ShardOptions {
  return { dir, shardConfig: readShardFlags(flags), ...common(flags) };
}

function declareVerify(program: Command, take: Take): void {
  declare(program, 'verify')
    .argument('<DIR>', 'A published Dir: a URL, or a path')
    .option('--deep', 'Read every byte and compare its digest', false)
    .option('--tensor-parallel-size <ranks>', 'Ranks that vLLM is to be started with', wholeNumber)
    .option('--dtype <type>', 'Data type that vLLM is to be started with')
    .option('--vllm-version <release>', 'Release of the vLLM that is to load it', releaseOfVllm)
    .action(
      (
        dir: string,
        flags: Flags<{ deep: boolean; tensorParallelSize?: number; dtype?: string; vllmVersion?: string }>
      ) => {
        const { deep, tensorParallelSize, dtype, vllmVersion } = flags;
        const asked = compact({ tensorParallelSize, dtype, vllmVersion });
        take({ command: 'verify', options: { dir, deep, ...common(flags), ...asked } });
      }
    );
}

interface WorkerFlags {
  readonly roles?: string;
  readonly gpu?: string;
  readonly taskQueue?: string;
  readonly exitWhenIdle?: number;
  readonly log?: LogFormat;
  readonly logLevel?: LogLevel;
  readonly skipChecks?: boolean;
}

function declareWorker(program: Command, take: Take): void {
  declare(program, 'worker')
    .option(
      '--roles <list>',
      `What this process serves, separated by commas: ${ROLES.join(', ')}. Default: all but gpu`
    )
    .option('--gpu <spec>', 'GPUs of this host, MODEL:COUNT, for the role gpu')
    .option('--task-queue <name>', 'Base name of the task queues. Default: MODEL_PREFETCH_TASK_QUEUE')
    .option('--exit-when-idle <duration>', 'End after so long without a task, such as 10m. Default: never', durationMs)
    .addOption(new Option('--log <format>', 'Form of the log on stderr').choices(LOG_FORMATS))
    .addOption(new Option('--log-level <level>', 'From what weight on it tells').choices(LOG_LEVELS))
    .option('--skip-checks', 'Take work without a look at Temporal, store, tokens, Hub and disk first')
    .action((flags: Flags<WorkerFlags>) => {
      const { gpu, taskQueue, exitWhenIdle: exitWhenIdleMs, log: logFormat, logLevel } = flags;
      const checks = flags.skipChecks === true ? false : undefined;
      const roles = flags.roles === undefined ? undefined : readRoles(flags.roles);
      take({
        command: 'worker',
        options: {
          ...common(flags),
          ...compact({ roles, gpu, taskQueue, exitWhenIdleMs, logFormat, logLevel, checks }),
        },
      });
    });
}

function readRoles(list: string): Role[] {
  const names = list.split(',').map((name) => name.trim());
  const roles = ROLES.filter((role) => names.includes(role));
  const unknown = names.filter((name) => !ROLES.some((role) => role === name));
  if (unknown.length === 0) return roles;
  throw new PrefetchError('InvalidInput', `--roles: "${unknown.join('", "')}" is none of ${ROLES.join(', ')}`);
}

function declareDevHub(program: Command, take: Take): void {
  declare(program, 'dev-hub')
    .argument('<DIR>', 'Folder of models: DIR/<owner>/<name>/...')
    .option('--host <address>', 'Address to listen on. Default: 127.0.0.1')
    .option('--port <port>', 'Port of the Hub. Default: a free one', portNumber)
    .option('--cdn-port <port>', 'Port of the CDN. Default: a free one', portNumber)
    .option('--token-file <file>', 'JSON with the accounts by token: {"hf_...": {"name": "me"}}')
    .action((folder: string, flags: Flags<{ host?: string; port?: number; cdnPort?: number; tokenFile?: string }>) => {
      const { host, port, cdnPort, tokenFile } = flags;
      take({
        command: 'dev-hub',
        options: { folder, ...common(flags), ...compact({ host, port, cdnPort, tokenFile }) },
      });
    });
}

function common({ output, verbose }: CommonOptions): CommonOptions {
  return { output, verbose };
}
