import { createRequire } from 'node:module';
import { type CliContext, type CliStream, Interrupted, printResult, say } from './context.js';
import { describeFailure, exitCodeOf } from './failure-text.js';
import { listenForInterrupt } from './interrupt.js';
import type { Invocation } from './invocation.js';
import { parseArguments } from './parse-arguments.js';

/** The streams of the process, so that tests can have their own. */
export interface CliProcess {
  readonly stdout: CliStream;
  readonly stderr: CliStream;
}

/** Runs one command line to its end and gives the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export async function runCli(argv: readonly string[], { stdout, stderr }: CliProcess): Promise<number> {
  const interrupt = listenForInterrupt();
  const context: CliContext = { stdout, stderr, signal: interrupt.signal, version: readVersion() };
  // A reader that went away, as `head` does, is no failure of ours.
  stdout.on('error', () => undefined);
  let verbose = argv.includes('--verbose');
  try {
    const parsed = parseArguments(argv, context.version);
    if (parsed.kind === 'text') {
      printResult(context, parsed.text);
    } else {
      verbose = parsed.invocation.options.verbose;
      await execute(parsed.invocation, context);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof Interrupted)) say(context, describeFailure(error, { verbose }));
    return exitCodeOf(error);
  } finally {
    interrupt.dispose();
  }
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
  }
}

function readVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('../../package.json');
  const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : '';
  return typeof version === 'string' ? version : '';
}
