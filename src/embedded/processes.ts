import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { runTool } from './run-tool.js';

const GONE_MS = 10_000;
/** Processes with other languages and time zones must see the same start time. */
const PS = { env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC0' }, signal: undefined, timeoutMs: 10_000 };

/**
 * When a process began, as its system counts it: with the PID it names one process for ever, for PIDs come again.
 * @returns undefined when there is no such process
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') return linuxStart(pid);
  return runTool('ps', ['-o', 'lstart=', '-p', String(pid)], PS).then(
    ({ stdout }) => stdout.trim() || undefined,
    () => undefined
  );
}

/** Processes whose command line has all these arguments in a row. */
export async function findProcesses(args: readonly string[]): Promise<number[]> {
  const wanted = args.join('\0');
  const lines = process.platform === 'linux' ? await linuxCommandLines() : await psCommandLines();
  return lines.filter(({ command }) => `\0${command}\0`.includes(`\0${wanted}\0`)).map(({ pid }) => pid);
}

/** Kills a process and returns when it is gone. */
export async function killProcess(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile, or belongs to someone else: then it is not ours to end.
    return;
  }
  const deadline = Date.now() + GONE_MS;
  while ((await processStart(pid)) !== undefined && Date.now() < deadline) await delay(10);
}

async function linuxStart(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The second field is the program's name in parentheses and may hold spaces; state is field 3, start time field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const dead = fields[0] === 'Z' || fields[0] === 'X';
  return dead ? undefined : fields[19];
}

async function linuxCommandLines(): Promise<{ pid: number; command: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  return Promise.all(
    pids.map(async (pid) => ({
      pid,
      command: (await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => '')).replace(/\0$/, ''),
    }))
  );
}

async function psCommandLines(): Promise<{ pid: number; command: string }[]> {
  const ps = await runTool('ps', ['-axww', '-o', 'pid=,command='], PS);
  return ps.stdout.split('\n').flatMap((line) => {
    const [, pid, command] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? [];
    // Here arguments are joined by spaces; a path with spaces is not found again, which costs an orphan and no more.
    return pid === undefined || command === undefined
      ? []
      : [{ pid: Number(pid), command: command.replaceAll(' ', '\0') }];
  });
}
