import { createRequire } from 'node:module';
import { unknownVariables } from '../config/variables.js';
import { PrefetchError } from '../core/errors.js';
import { coloursOf } from './colours.js';
import {
  type CliContext,
  type CliStream,
  complain,
  GaveUp,
  Interrupted,
  nowhere,
  printResult,
  say,
  ToldFailure,
} from './context.js';
import { describeFailure, exitCodeOf, showFailure } from './failure-text.js';
import { type Interrupt, listenForInterrupt } from './interrupt.js';
import type { Invocation } from './invocation.js';
import { parseArguments, type ProgramName } from './parse-arguments.js';

/** The streams of the process, so that tests can have their own. */
export interface CliProcess {
  readonly stdout: CliStream;
  readonly stderr: CliStream;
}

/** Runs one command line to its end and gives the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export async function runCli(
  argv: readonly string[],
  { stdout, stderr }: CliProcess,
  program: ProgramName = 'model-prefetch'
): Promise<number> {
  const interrupt = listenForInterrupt();
  const version = readVersion();
  const context: CliContext = { stdout, stderr, failures: stderr, signal: interrupt.signal, version };
  // A reader that went away, as `head` does, is no failure of ours.
  stdout.on('error', () => undefined);
  let verbose = argv.includes('--verbose');
  try {
    const parsed = parseArguments(argv, version, program);
    if (parsed.kind === 'text') {
      // Headings of the help stand out where there are colours.
      printResult(context, parsed.text.replaceAll(/^[A-Z][\w ]*:$/gm, coloursOf(stdout).strong));
    } else {
      verbose = parsed.invocation.options.verbose;
      await runInvocation(parsed.invocation, context, interrupt);
    }
    return 0;
  } catch (error) {
    if (error instanceof ToldFailure) return exitCodeOf(error.cause);
    const told = error instanceof GaveUp ? new PrefetchError('TimedOut', error.message) : error;
    if (!(told instanceof Interrupted))
      complain(context, showFailure(describeFailure(told, { verbose }), context.failures));
    return exitCodeOf(told);
  } finally {
    interrupt.dispose();
  }
}

async function runInvocation(invocation: Invocation, context: CliContext, interrupt: Interrupt): Promise<void> {
  const { quiet, timeoutMs } = invocation.options;
  const ofCommand = quiet ? { ...context, stderr: nowhere() } : context;
  // A worker has a log for that.
  if (invocation.command !== 'worker') for (const text of unknownVariables()) say(ofCommand, `Warning: ${text}`);
  if (timeoutMs !== undefined) interrupt.after(timeoutMs, gaveUp(timeoutMs, invocation));
  await execute(invocation, ofCommand);
}

function gaveUp(timeoutMs: number, { command }: Invocation): string {
  const after = `not done after ${String(timeoutMs / 1000)} s, as long as --timeout says`;
  if (command === 'result') return `${after}. The run goes on: the same command waits for it again`;
  if (command === 'hf-model') return `${after}. A run on a cluster goes on, else the same command goes on from here`;
  return `${after}. ${command === 'shard' ? 'The same command goes on from here' : 'Nothing was written'}`;
}

/** Each command is loaded when it is run: `--help` and `id` must not wait for the Temporal SDK. */
async function execute({ command, options }: Invocation, context: CliContext): Promise<void> {
  switch (command) {
    case 'hf-model':
      return (await import('./commands/hf-model.js')).runHfModel(options, context);
    case 'id':
      return (await import('./commands/id.js')).runId(options, context);
    case 'plan':
      return (await import('./commands/plan.js')).runPlan(options, context);
    case 'status':
      return (await import('./commands/status.js')).runStatus(options, context);
    case 'result':
      return (await import('./commands/result.js')).runResult(options, context);
    case 'cancel':
      return (await import('./commands/cancel.js')).runCancel(options, context);
    case 'shard':
      return (await import('./commands/shard.js')).runShard(options, context);
    case 'shard plan':
      return (await import('./commands/shard.js')).runShardPlan(options, context);
    case 'verify':
      return (await import('./commands/verify.js')).runVerify(options, context);
    case 'worker':
      return (await import('./commands/worker.js')).runWorkerCommand(options);
    case 'dev-hub':
      return (await import('./commands/dev-hub.js')).runDevHub(options, context);
    case 'completion':
      (await import('./commands/completion.js')).runCompletion(options, context);
      return;
    case 'version':
      (await import('./commands/version.js')).runVersion(options, context);
      return;
  }
}

function readVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('../../package.json');
  const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : '';
  return typeof version === 'string' ? version : '';
}
