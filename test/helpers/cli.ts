import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from './local-server.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface CliRun {
  readonly child: ChildProcess;
  /** Ends when the process has ended and its output is read. */
  readonly ended: Promise<CliResult>;
  /** What it has written to stderr so far. */
  stderr(): string;
  /** Ends the process and everything that it started, at once, as a power cut would. */
  killGroup(): void;
}

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the built command, or that of another release, in a process group of its own, with only this environment. */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  program = main
): CliRun {
  const { PATH, TEMPORAL_CLI_PATH, XDG_CACHE_HOME, HOME } = process.env;
  const child = spawn(process.execPath, [program, ...args], {
    detached: true,
    // Whoever runs the tests may be logged in to the Hub.
    env: { PATH, TEMPORAL_CLI_PATH, XDG_CACHE_HOME, HOME, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
  });
  return {
    child,
    ended,
    stderr: () => stderr,
    killGroup: () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    },
  };
}

/** Runs the built command to its end. */
export function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  program = main
): Promise<CliResult> {
  return startCli(args, env, program).ended;
}

/** Starts `model-prefetch worker` and waits until it polls. */
export async function startWorkerProcess(env: Readonly<Record<string, string | undefined>>): Promise<CliRun> {
  const worker = startCli(['worker'], env);
  await until(
    () => worker.stderr().includes('Polling') || worker.child.exitCode !== null,
    'the worker to poll',
    60_000
  );
  if (worker.child.exitCode !== null) throw new Error(`The worker ended: ${worker.stderr()}`);
  return worker;
}
