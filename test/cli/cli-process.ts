import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporalCliPath } from '../helpers/temporal.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliProcess {
  readonly child: ChildProcess;
  /** Resolves when stderr or stdout has this text; rejects when the process ends without it. */
  said(text: string | RegExp): Promise<void>;
  readonly ended: Promise<CliRun>;
}

/** Runs the built command line to its end. */
export async function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliRun> {
  return (await startCli(args, env)).ended;
}

/** Starts the built command line, or that of another release, in a process group of its own, with nothing of this user's own configuration. */
export async function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  main = MAIN
): Promise<CliProcess> {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...(await cleanEnvironment()), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: typeof code === 'number' ? code : null, ...output }));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) killGroup(child, 'SIGTERM');
    await ended;
  });
  return { child, ended, said: (text) => said(text, { child, output, ended }) };
}

/** Signals the process and all that it started in its group, as a terminal does. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) process.kill(-child.pid, signal);
}

async function cleanEnvironment(): Promise<Record<string, string>> {
  const names = ['PATH', 'HOME', 'TMPDIR'];
  const kept = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
  // Whoever runs the tests may be logged in to the Hub.
  const noLogin = { HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' };
  return { ...Object.fromEntries(kept), ...noLogin, TEMPORAL_CLI_PATH: await temporalCliPath() };
}

async function said(
  text: string | RegExp,
  { child, output, ended }: { child: ChildProcess; output: { stdout: string; stderr: string }; ended: Promise<CliRun> }
): Promise<void> {
  const there = () => (typeof text === 'string' ? all().includes(text) : text.test(all()));
  const all = () => output.stderr + output.stdout;
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  while (!there()) {
    if (hasEnded()) throw new Error(`It ended without saying ${String(text)}:\n${all()}`);
    await Promise.race([
      child.stderr === null ? undefined : once(child.stderr, 'data'),
      child.stdout === null ? undefined : once(child.stdout, 'data'),
      ended,
    ]);
  }
}
