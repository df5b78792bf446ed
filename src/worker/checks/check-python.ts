import { execFile } from 'node:child_process';
import { inheritedEnvironment } from '../../config/environment.js';
import { PrefetchError } from '../../core/errors.js';
import type { Check } from './check-worker.js';

const NO_VLLM = 3;
/** Looks for the package without importing it, which takes most of a minute. */
const LOOK = `import importlib.util, sys; sys.exit(0 if importlib.util.find_spec('vllm') else ${String(NO_VLLM)})`;
const TIMEOUT_MS = 20_000;

/** The Python of a worker for GPUs, and that it has vLLM. */
export const checkPython: Check = async ({ settings: { python }, roles, signal }) => {
  if (!roles.includes('gpu')) return [];
  const { PATH, HOME } = inheritedEnvironment();
  const failure = await new Promise<Error | null>((resolve) => {
    execFile(python, ['-c', LOOK], { timeout: TIMEOUT_MS, signal, env: { PATH, HOME } }, resolve);
  });
  const code = failure !== null && 'code' in failure ? failure.code : undefined;
  if (typeof code === 'string') throw unavailable(`${python} cannot be started (${code})`);
  if (code === NO_VLLM) throw unavailable(`${python} has no package vllm`);
  return [`vLLM of ${python}`];
};

function unavailable(problem: string): PrefetchError {
  return new PrefetchError('VllmUnavailable', `MODEL_PREFETCH_PYTHON: ${problem}. Name a Python that has vLLM`);
}
