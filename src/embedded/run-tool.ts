import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { foreignText } from '../core/foreign-text.js';

const execute = promisify(execFile);

/** How a program is run, and when it is given up. */
export interface ToolRun {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly cwd?: string;
  /** All of its environment. @default that of this process */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end and gives what it printed; fails when it exits with an error or takes too long. */
export async function runTool(
  file: string,
  args: readonly string[],
  run: ToolRun
): Promise<{ stdout: string; stderr: string }> {
  return execute(file, args, {
    encoding: 'utf8',
    timeout: run.timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: 4 * 1024 * 1024,
    ...(run.signal === undefined ? {} : { signal: run.signal }),
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
    ...(run.env === undefined ? {} : { env: run.env }),
  });
}

/** One line that says why a program failed: its own last words where it had any. */
export function failureReason(error: unknown): string {
  if (!(error instanceof Error)) return 'failed for no given reason';
  if ('killed' in error && error.killed === true) return 'it took too long';
  if ('code' in error && error.code === 'ENOENT') return 'there is no such program';
  const lines = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim().split('\n') : [];
  const said = lines.findLast((line) => /error|no module/i.test(line)) ?? lines.at(-1);
  const text = foreignText(said === undefined || said === '' ? error.message : said);
  // The address of an index is for people to compare with theirs: it is told without the marks of what was cut off it.
  return text.replaceAll(/\*{3}@|\?\*{3}/g, '');
}
